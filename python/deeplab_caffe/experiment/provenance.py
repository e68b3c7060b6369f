"""What weights were trained on, kept beside them, so that scores on the same images are known for what they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..data import read_list
from ..errors import InputError
from ..files import write_text


def record_path(weights: Path) -> Path:
    """`train_iter_600.caffemodel` → `train_iter_600.trained_on.json`."""
    return weights.with_name(weights.name.partition(".caffemodel")[0] + ".trained_on.json")


def record(weights: Path, lists: Sequence[Path], started_from: Path | None) -> None:
    """Write beside the weights which lists and images they were trained on, those of what they started from too."""
    before = trained_on(started_from) if started_from else {}
    now = {str(path): [entry.image for entry in read_list(path, needs_label=False)] for path in lists}
    write_text(record_path(weights), json.dumps({"lists": before | now}, indent=1) + "\n")


def trained_on(weights: Path) -> dict[str, list[str]]:
    """List → images, as recorded beside the weights; nothing where nothing is recorded."""
    path = record_path(weights)
    if not path.is_file():
        return {}
    try:
        lists = json.loads(path.read_text())["lists"]
        return {str(name): [str(image) for image in images] for name, images in lists.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({error}); remove it to go on without it") from None


def warning(weights: Path, name: str, images: Iterable[str]) -> str | None:
    """What is to be said before these images of a list are scored with the weights; None if nothing."""
    seen = {image for known in trained_on(weights).values() for image in known}
    images = list(images)
    known = sum(image in seen for image in images)
    if not known:
        return None
    return f"warning: {weights} was trained on {known} of the {len(images)} images of '{name}'; their scores flatter it"

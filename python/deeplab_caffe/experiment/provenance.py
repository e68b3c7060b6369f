"""What weights were trained on and with, stored next to them; the images, to warn when they are used for testing."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..data import read_list
from ..errors import InputError
from ..files import write_text
from ..reading import read_json, reason_of
from . import made_with
from .fingerprints import content_hash


def record_path(weights: Path) -> Path:
    """`train_iter_600.caffemodel` → `train_iter_600.trained_on.json`."""
    return weights.with_name(weights.name.partition(".caffemodel")[0] + ".trained_on.json")


def record(weights: Path, lists: Sequence[Path], started_from: Path | None, command: str) -> None:
    """Write next to the weights what they were trained on and with.

    That is the lists and their images, including those of the initial weights, the initial weights, and date, command,
    versions and commit.
    """
    before = trained_on(started_from) if started_from else {}
    now = {str(path): [entry.image for entry in read_list(path, needs_label=False)] for path in lists}
    begun = {"file": str(started_from), "sha256": content_hash(started_from)} if started_from else None
    made = {"date": datetime.date.today().isoformat(), "command": command}
    made |= {"versions": made_with.versions_text(), "commit": made_with.commit() or "unknown"}
    found = {"lists": before | now, "initial_weights": begun, "trained_with": made}
    write_text(record_path(weights), json.dumps(found, indent=1) + "\n")


def trained_with(weights: Path) -> dict[str, Any]:
    """What `record` wrote besides the lists: "initial_weights" and "trained_with"; empty without a record of them."""
    path = record_path(weights)
    found = read_json(path) if path.is_file() else {}
    return {key: found[key] for key in ("initial_weights", "trained_with") if isinstance(found.get(key), dict)}


def trained_on(weights: Path) -> dict[str, list[str]]:
    """{list: images} as recorded next to the weights; empty without a record."""
    path = record_path(weights)
    if not path.is_file():
        return {}
    try:
        lists = read_json(path)["lists"]
        return {str(name): [str(image) for image in images] for name, images in lists.items()}
    except Exception as error:
        reason = reason_of(error.__cause__ or error)
        raise InputError(f"{path}: damaged ({reason}); remove it to continue without it") from error


def warning(weights: Path, name: str, images: Iterable[str]) -> str | None:
    """A warning if the weights were trained on some of the images of a list; None otherwise."""
    seen = {image for known in trained_on(weights).values() for image in known}
    images = list(images)
    known = sum(image in seen for image in images)
    if not known:
        return None
    overlap = f"{known} of the {len(images)} images of '{name}'"
    return f"warning: {weights} was trained on {overlap}; scores on them are too optimistic"

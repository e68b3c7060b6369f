"""The rule about nets of one model, which must compute the same: a training net, and those that use its weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from ...formats.prototxt import Document, Field, Scalar
from .findings import ERROR, Hit, Offer, rule
from .net_pair import Difference, NetPair, field_in


@rule("different-nets", ERROR, "a layer that computes something else than in the training net of its weights", "nets")
def different_nets(pair: NetPair) -> Iterator[Hit]:
    """The weights fit and load, so nothing else tells that the net computes something else with them than was learned.

    Compared are the nets of a solver, and train, train2, test and deploy of one folder: everything that changes what
    is computed from an image. Sizes are compared relative to the image's. What the generator itself makes different
    (a net of v3 tested at another output stride) is no finding.
    """
    for item in pair.differences():
        where = place_in(pair.train.file.document, item)
        what = f"reads {item.after}" if item.path.startswith("bottom") else f"{item.field} is {item.after}"
        message = f"{what}, but {item.before} in {where}, whose weights this net uses"
        field = field_in(item.layer, item.path)
        advice = "make the nets equal: `deeplab prototxt sync` carries an edit over"
        offers = tuple(_as_learned(item, field)) if not item.wanted else ()
        yield Hit(item.layer.document, field.start if field else 0, item.layer.title, message, advice, None, offers)


def _as_learned(item: Difference, field: Field | None) -> list[Offer]:
    """Take the value of the training net, where both state one."""
    learned = field_in(item.learned, item.path)
    names = {part.partition("[")[0] for part in item.path.split(".")[-1:]}
    if item.path.startswith("bottom") or item.layer.is_old or item.layer.is_python:
        return []
    if learned is None or field is None or {learned.name, field.name} != names:
        return []
    if not isinstance(learned.value, Scalar) or not isinstance(field.value, Scalar) or field.listed or learned.listed:
        return []
    value = item.learned.document.text[learned.value.start : learned.value.end]
    return [Offer(f"Set {field.name}: {value}", lambda edits: edits.set_value(field, value))]


def place_in(document: Document, item: Difference) -> str:
    """`train.prototxt:228`, the line of a difference in the training net."""
    field = field_in(item.learned, item.path)
    line, _ = document.place(field.start if field else 0)
    return f"{document.filename}:{line}"


#: the names of the nets of a model in one folder, perhaps with a word before or behind; training nets first
_ROLES = ("train", "train_val", "trainval", "train_test", "train2", "val", "test", "deploy")
_NAME = re.compile(rf"(.*?_)?({'|'.join(sorted(_ROLES, key=len, reverse=True))})(_.*)?")


def model_files(path: Path, exists: Callable[[Path], bool] = Path.is_file) -> list[Path]:
    """The nets of the model that a file belongs to, by their names in its folder, a training net first.

    `train.prototxt` belongs with train2, test and deploy, `lenet_train_test.prototxt` with `lenet_deploy`. Empty if the
    file's name is none of these. `exists` tells which of them there are.
    """
    own = _NAME.fullmatch(path.stem)
    if own is None or path.suffix != ".prototxt":
        return []
    names = [f"{own[1] or ''}{role}{own[3] or ''}.prototxt" for role in _ROLES]
    return [file for name in names if exists(file := path.with_name(name))]

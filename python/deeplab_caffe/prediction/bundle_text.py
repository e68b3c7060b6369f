"""What a bundle contains, in words and as JSON. Its manifest may be another's: no value has to be what we write."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from ..formats.bundle import CRF, DATASET, MEMBERS, Bundle
from ..inference import Protocol

_WIDTH, _LABEL = 110, 16
_WHEN = {"before": "", "after": " after the CRF"}


def as_json(bundle: Bundle) -> dict[str, Any]:
    """The manifest, and the file that it is of."""
    return {"file": str(bundle.path), **bundle.manifest}


def as_text(bundle: Bundle) -> str:
    """A line for each thing that a user of the model wants to know; the hashes of `bundle` were checked before."""
    rows = [(label, "; ".join(map(_line, said))) for label, lines in _ROWS.items() if (said := list(lines(bundle)))]
    return "\n".join([str(bundle.path), *(_wrapped(label, text) for label, text in rows)])


def _wrapped(label: str, text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=f"  {label:{_LABEL}s}", subsequent_indent=" " * (_LABEL + 2))


def _line(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)


def _part(bundle: Bundle, *names: str) -> Mapping[str, Any]:
    """A table within the manifest; an empty one if it is not there, or is no table."""
    found: Any = bundle.manifest
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


# -- the rows


def _model(bundle: Bundle) -> Iterator[str]:
    size, values = _bytes(bundle, bundle.weights), _part(bundle, "model").get("values")
    yield _text(bundle.manifest["name"])
    if isinstance(values, int):
        yield f"{values / 1e6:,.2f} million weights, {size}"


def _bytes(bundle: Bundle, name: str) -> str:
    return f"{bundle.manifest['members'][name]['bytes'] / 1e6:.1f} MB"


def _classes(bundle: Bundle) -> Iterator[str]:
    names = _part(bundle, "model").get("classes")
    if isinstance(names, list):
        yield f"{len(names)}: {', '.join(map(str, names))}"
    if DATASET not in bundle.texts:
        yield "no data set is described: classes are numbers, colours are VOC's"


def _weights(bundle: Bundle) -> Iterator[str]:
    model = _part(bundle, "model")
    yield _text(model.get("weights"))
    if model.get("finished") is False:
        yield "a snapshot: its training was not finished"


def _protocol(bundle: Bundle) -> Iterator[str]:
    stated = _part(bundle, "testing")
    yield ", ".join(f"{name} {value}" for name, value in stated.items()) or str(Protocol())


def _scores(bundle: Bundle) -> Iterator[str]:
    scores = _part(bundle, "scores")
    if not scores:
        yield "none were recorded"
        return
    for when, value in _part(bundle, "scores", "mean_iou").items():
        if isinstance(value, float):
            yield f"mean IoU {100 * value:.2f}{_WHEN.get(when, '')}"
    yield f"on the list {scores.get('list')}, {scores.get('protocol') or 'protocol unknown'}"
    if scores.get("of_these_weights") is not True:
        yield f"of other weights than these: {scores.get('weights') or 'unknown'}"


def _crf(bundle: Bundle) -> Iterator[str]:
    yield " ".join(bundle.texts[CRF].split()) if CRF in bundle.texts else "no parameters"


def _trained_on(bundle: Bundle) -> Iterator[str]:
    lists = _part(bundle, "provenance", "trained_on")
    for name in lists:
        yield f"{name} ({_part(bundle, 'provenance', 'trained_on', name).get('images')} images)"
    if not lists:
        yield "not recorded"


def _started_from(bundle: Bundle) -> Iterator[str]:
    found = _part(bundle, "provenance", "initial_weights")
    if found:
        yield f"{found.get('file')} (SHA-256 {found.get('sha256')})"


def _trained_with(bundle: Bundle) -> Iterator[str]:
    found = _part(bundle, "provenance", "trained_with")
    for name in ("date", "command", "versions"):
        if found.get(name):
            yield str(found[name])
    if found.get("commit"):
        yield f"commit {found['commit']}"


def _bundled_with(bundle: Bundle) -> Iterator[str]:
    yield _text(_part(bundle, "bundled_with").get("versions"))


def _note(bundle: Bundle) -> Iterator[str]:
    if bundle.manifest["note"]:
        yield bundle.manifest["note"]


def _files(bundle: Bundle) -> Iterator[str]:
    names = [name for name in MEMBERS if name in bundle.manifest["members"]]
    yield f"{', '.join(names)}: all hashes agree"


_ROWS = {
    "model": _model,
    "note": _note,
    "classes": _classes,
    "weights": _weights,
    "protocol": _protocol,
    "scores": _scores,
    "CRF": _crf,
    "trained on": _trained_on,
    "started from": _started_from,
    "trained with": _trained_with,
    "bundled with": _bundled_with,
    "files": _files,
}

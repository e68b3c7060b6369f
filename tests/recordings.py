"""Layers run as they were when a C++ Caffe was recorded, and the table of how well we agree.

python tests/recordings.py        writes docs/conformance.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cases import collect
from deeplab_caffe import caffe
from deeplab_caffe.formats import messages, prototxt, schema
from tolerances import tolerance

FOLDER = Path(__file__).parent / "data" / "conformance" / "layers"
TABLE = Path(__file__).parent.parent / "docs" / "conformance.md"


@dataclass(frozen=True)
class Comparison:
    """One array of a recording: the largest absolute difference, and what is allowed."""

    what: str
    error: float
    tolerance: float


def recorded() -> list[str]:
    """The names of all recordings."""
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


def layer_type(name: str) -> str:
    """The type of the layer that a recording is of."""
    return next(layer.type for layer in _definition(_load(name)).layer if layer.name == "layer")


def compare(name: str, rewrite: Callable[[str], str] = lambda text: text) -> Iterator[Comparison]:
    """Run a recording's net, its text rewritten, forward and backward and compare everything that was recorded."""
    record = _load(name)
    record["prototxt"] = np.array(rewrite(str(record["prototxt"])))
    net = _prepared(record)
    layer = net.layer_dict["layer"]
    for key, value in record.items():
        if key.startswith("out_"):
            yield _comparison(key, net.blobs[key[4:]].data, value)
        elif key.startswith("param_after_"):
            yield _comparison(key, layer.blobs[int(key[12:])].data, value)
        elif key.startswith("topdiff_"):
            net.blobs[key[8:]].diff[...] = value
    if not has_gradient(record):
        return
    # The nets without force_backward have no loss: Caffe ran nothing there, and the recorded diffs are zero.
    assert layer.needs_backward or not _definition(record).force_backward
    net.clear_param_diffs()
    net.backward(start="layer", end="layer")
    for key, value in record.items():
        if key.startswith("bottomdiff_"):
            yield _comparison(key, net.blobs[key[11:]].diff, value)
        elif key.startswith("paramdiff_"):
            yield _comparison(key, layer.blobs[int(key[10:])].diff, value)


def has_gradient(record: dict[str, np.ndarray]) -> bool:
    return any(key.startswith(("bottomdiff_", "paramdiff_")) for key in record)


def _load(name: str) -> dict[str, np.ndarray]:
    return dict(np.load(FOLDER / f"{name}.npz"))


def _definition(record: dict[str, np.ndarray]):
    return messages.to_message(prototxt.Document(str(record["prototxt"])), schema.NetParameter())


def _prepared(record: dict[str, np.ndarray]) -> caffe.Net:
    """The net with its inputs and parameters, after the recorded number of forward passes."""
    phase = caffe.TRAIN if str(record["phase"]) == "TRAIN" else caffe.TEST
    net = caffe.Net.from_param(_definition(record), phase)
    for key in (k for k in record if k.startswith("in_")):
        name = key[3:] + "_raw" if key[3:] + "_raw" in net.blobs else key[3:]
        net.blobs[name].reshape(*record[key].shape)
        net.blobs[name].data[...] = record[key]
    for i, blob in enumerate(net.layer_dict["layer"].blobs):
        if f"param_{i}" in record:
            blob.data[...] = record[f"param_{i}"]
    for _ in range(int(record["forwards"])):
        net.forward()
    return net


def _comparison(what: str, ours: np.ndarray, theirs: np.ndarray) -> Comparison:
    assert ours.shape == theirs.shape, f"{what}: {ours.shape}, recorded {theirs.shape}"
    error = float(np.abs(ours - theirs).max(initial=0))
    return Comparison(what, error if np.isfinite(error) else np.inf, tolerance(theirs))


def table(device: str) -> str:
    """docs/conformance.md: a row per layer type."""
    rows: dict[str, list[str]] = {kind: [] for kind in caffe.layer_type_list()}
    for name in recorded():
        rows[layer_type(name)].append(name)
    hand_made = [case.type for case in collect()]
    lines = [_HEAD.format(count=len(recorded()), device=device), *_COLUMNS]
    for kind, names in rows.items():
        worst = max((c.error / c.tolerance for name in names for c in compare(name)), default=None)
        gradients = sum(has_gradient(_load(name)) for name in names)
        share = "–" if worst is None else f"{worst:.2g}"
        lines.append(
            f"| {kind} | {len(names) or '–'} | {gradients or '–'} | {share} | {hand_made.count(kind) or '–'} |"
        )
    return "\n".join(lines) + "\n"


_COLUMNS = [
    "| type | recordings | of them with gradient | worst error, share of what is allowed | own cases |",
    "|---|---|---|---|---|",
]
_HEAD = """# Conformance of the layers

Written by `make conformance`, on {device}. {count} recordings of single layers, run by a C++ Caffe (DeepLab v2's layers
on Caffe 1.0-rc3), are compared value by value: outputs, gradients of bottoms and parameters, parameters after the pass.
The allowed difference is `1e-5 · max|recorded| + 1e-6`; the table shows the largest one as a share of it. "Own cases"
are hand-made; `tests/caffe/test_registry.py` checks their shape rule, float64 gradients, repetition, memory layout, and
CUDA if available. Types without own cases read data or run the user's code, and have tests of their own.
"""


def main() -> None:
    if torch.cuda.is_available():
        caffe.set_mode_gpu()
    TABLE.write_text(table(torch.cuda.get_device_name() if torch.cuda.is_available() else "a CPU"), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Mutated real files, read by every reader: anything but a clean error is a fault.

    python tests/fuzz.py --count 100000 [--seed 0]

Each input is a real file with a few random changes: bytes flipped, cut, repeated, numbers made huge. It must be read,
or refused with InputError, within a second and without much memory. `tests/formats/test_fuzz.py` runs a few.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from deeplab_caffe import caffe
from deeplab_caffe.caffe import log
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.formatting import format_document
from deeplab_caffe.formats.messages import to_message
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.upgrade_binary import upgrade_binary
from deeplab_caffe.formats.upgrade_text import upgrade_document
from deeplab_caffe.formats.weight_files import read_weight_file
from deeplab_caffe.formats.weights import read_caffemodel, read_solverstate
from deeplab_caffe.inspection.lint import Linter, chosen
from deeplab_caffe.porting.manifest import read_manifest
from deeplab_caffe.porting.state_dict import read_metadata, read_state_dict
from deeplab_caffe.porting.summary import summarise
from deeplab_caffe.porting.torch_names import to_caffe

DATA = Path(__file__).parent / "data" / "conformance"
_TOKENS = [b"{", b"}", b'"', b":", b"999999999999", b"-1", b"1e999", b"nan", b"layer", b"\xff\xff\xff\xff\x7f", b"\x00"]
_TOKENS += [b"dim: 2147483647", b"\n", b"#", b"${X}", b"[", b"]", b"type", b"\x0a\x80\x80\x80\x80\x08"]


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """A copy with one to four random changes."""
    out = bytearray(data)
    for _ in range(int(random.integers(1, 5))):
        at = int(random.integers(len(out) + 1))
        span = int(random.integers(1, 40))
        match int(random.integers(6)):
            case 0 if out:
                out[min(at, len(out) - 1)] = int(random.integers(256))
            case 1:
                del out[at : at + span]
            case 2:
                out[at:at] = out[at : at + span]
            case 3:
                out[at:at] = _TOKENS[int(random.integers(len(_TOKENS)))]
            case 4:
                out = out[:at]
            case _:
                other = int(random.integers(len(out) + 1))
                out[at : at + span] = out[other : other + span]
    return bytes(out)


def _read_net(path: Path) -> None:
    to_message(Document.read(path), schema.NetParameter())


def _build_net(path: Path) -> None:
    caffe.Net(str(path), caffe.TEST)


def _read_solver(path: Path) -> None:
    to_message(Document.read(path), schema.SolverParameter())


def _format(path: Path) -> None:
    text = format_document(Document.read(path))
    assert format_document(Document(text)) == text


def _upgrade(path: Path) -> None:
    upgrade_document(Document(upgrade_document(Document.read(path)).text))


def _upgrade_binary(path: Path) -> None:
    upgrade_binary(path)


def _lint(path: Path) -> None:
    Linter(chosen()).lint(path)


def _load(path: Path) -> None:
    read_caffemodel(path)


def _state(path: Path) -> None:
    read_solverstate(path)


def _show_weights(path: Path) -> None:
    str(summarise(read_weight_file(path)))


def _state_dict(path: Path) -> None:
    read_metadata(path)
    to_caffe(read_state_dict(path), str(path))


def _manifest(path: Path) -> None:
    read_manifest(path)


def _of_torch(save: Callable[[dict[str, torch.Tensor], Path], None], folder: Path) -> bytes:
    """A file with a small state dict of a net that is known."""
    names = ("features.0", "features.28", "classifier.0")
    state = {f"{name}.{part}": torch.ones(2, 2) for name in names for part in ("weight", "bias")}
    save(state, folder / "state")
    return (folder / "state").read_bytes()


def _torch_files() -> tuple[bytes, bytes]:
    """A checkpoint and a safetensors file."""
    with tempfile.TemporaryDirectory() as name:
        checkpoint = _of_torch(torch.save, Path(name))
        return checkpoint, _of_torch(lambda state, path: save_file(state, path), Path(name))


def targets() -> list[tuple[str, Callable[[Path], None], bytes]]:
    """(suffix, reader, real file)."""
    solver = DATA / "solvers" / "sgd_step"
    checkpoint, tensors = _torch_files()
    net = b"".join(
        line for line in (solver / "net.prototxt").read_bytes().splitlines(keepends=True) if b"HDF5Data" not in line
    )
    net = net.replace(
        b'name: "toy"',
        b'name: "toy"\nlayer { name: "data" type: "Input" top: "data" top: "target"\n'
        b"  input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } shape { dim: 2 dim: 3 } } }",
    )
    return [
        ("prototxt", _read_net, net),
        ("prototxt", _build_net, net),
        ("prototxt", _read_solver, (solver / "solver.prototxt").read_bytes()),
        ("prototxt", _format, net),
        ("prototxt", _upgrade, (DATA.parent / "legacy" / "v0.prototxt").read_bytes()),
        ("prototxt", _upgrade, (DATA.parent / "legacy" / "deeplab_v1.prototxt").read_bytes()),
        ("prototxt", _lint, net),
        ("caffemodel", _upgrade_binary, (solver / "snap_iter_6.caffemodel").read_bytes()),
        ("caffemodel", _load, (solver / "snap_iter_6.caffemodel").read_bytes()),
        ("caffemodel", _load, next((DATA.parent / "formats").rglob("v1.caffemodel")).read_bytes()),
        ("solverstate", _state, (solver / "snap_iter_6.solverstate").read_bytes()),
        ("caffemodel", _show_weights, (solver / "snap_iter_6.caffemodel").read_bytes()),
        ("caffemodel.h5", _show_weights, (DATA / "train_log" / "snap_iter_6.caffemodel.h5").read_bytes()),
        ("pth", _state_dict, checkpoint),
        ("safetensors", _state_dict, tensors),
        ("toml", _manifest, (DATA.parent.parent.parent / "models" / "weights.toml").read_bytes()),
    ]


def run(count: int, seed: int, folder: Path) -> Iterator[tuple[str, bytes, str]]:
    """Read `count` mutated files; yields (reader, input, what went wrong) for each fault."""
    random = np.random.default_rng(seed)
    readers = targets()
    for i in range(count):
        suffix, read, original = readers[i % len(readers)]
        data = mutated(original, random)
        path = folder / f"input.{suffix}"
        path.write_bytes(data)
        start = time.monotonic()
        try:
            read(path)
        except InputError:
            pass
        except Exception as error:
            yield read.__name__, data, f"{type(error).__name__}: {error}"
        if time.monotonic() - start > 1:
            yield read.__name__, data, f"took {time.monotonic() - start:.1f} s"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    log.set_stderr(False)
    faults = 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        for reader, data, what in run(given.count, given.seed, Path(name)):
            faults += 1
            if faults <= 10:
                print(f"{reader}: {what}\n  {data[:300]!r}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{given.count:,} inputs, {faults} faults, {time.monotonic() - start:.0f} s, peak memory {peak:.0f} MB")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

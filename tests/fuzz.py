"""Damaged real files, read by every reader: anything but a clean error is a fault.

    python tests/fuzz.py --count 2000 [--seed 0] [--only lmdb] [--record docs/fuzzing.md]

Each input is a real file with a few random changes: bytes flipped, cut, repeated, numbers made huge. It must be read,
or refused with an InputError that names the file, within a second of processor time and without much memory. An
InputError that hides a mistake of the reader itself is a fault too. Each reader runs in a process of its own, so that a
crash counts as a fault. `tests/formats/test_fuzz.py` runs a few.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import mmap
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

import deeplab_caffe
from deeplab_caffe.caffe import log
from deeplab_caffe.errors import InputError
from fuzz_readers import Target, targets

_TOKENS = [b"{", b"}", b'"', b":", b"999999999999", b"-1", b"1e999", b"nan", b"layer", b"\xff\xff\xff\xff\x7f", b"\x00"]
_TOKENS += [b"dim: 2147483647", b"\n", b"#", b"${X}", b"[", b"]", b"type", b"\x0a\x80\x80\x80\x80\x08"]
_TOKENS += [b"9" * 5000, b"[" * 2000, b"\\u0000", b"\\ud800", b"\x1b[2J", b"\xc3\x28"]
_SECONDS, _HANGS = 1.0, 60
#: exit code of a child process whose time is over
_ENOUGH = 77
#: an InputError that comes from one of these, raised in our own code, hides a mistake of the reader
_MISTAKES = (NameError, AssertionError, AttributeError, NotImplementedError, ImportError)
_PACKAGE = os.path.dirname(deeplab_caffe.__file__)


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


def fault(target: Target, path: Path, data: bytes) -> str:
    """What goes wrong when a reader reads `data`; empty if nothing does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    start = time.process_time()
    try:
        target.read(path)
    except InputError as error:
        if wrong := _wrong(error, path):
            return wrong
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    took = time.process_time() - start
    return f"took {took:.1f} s" if took > _SECONDS else ""


def _wrong(error: InputError, path: Path) -> str:
    """What is wrong with an error, if anything."""
    cause: BaseException | None = error
    while cause := cause.__cause__ if cause else None:
        if isinstance(cause, _MISTAKES) and traceback.extract_tb(cause.__traceback__)[-1].filename.startswith(_PACKAGE):
            return f"{type(cause).__name__}, hidden: {cause}"
    return "" if path.name in str(error) or path.parent.name in str(error) else f"names no file: {error}"


def inputs(target: Target, count: int, seed: int) -> Iterator[bytes]:
    """`count` damaged copies of a reader's file."""
    random = np.random.default_rng([seed, *target.what.encode()])
    return (mutated(target.original, random) for _ in range(count))


def run(count: int, seed: int, folder: Path) -> Iterator[tuple[str, bytes, str]]:
    """Read `count` files with each reader, in this process; yields (reader, input, what went wrong) for each fault."""
    for target in targets(folder):
        for data in inputs(target, count, seed):
            if what := fault(target, folder / target.name, data):
                yield target.what, data, what


@dataclass
class Outcome:
    """How one reader did: how many inputs it got, the seconds they took, and the faults, (input, what)."""

    what: str
    inputs: int = 0
    seconds: float = 0.0
    faults: list[tuple[bytes, str]] = field(default_factory=list)


def run_apart(target: Target, count: int, seed: int, folder: Path, seconds: float = 1e9) -> Outcome:
    """Read `count` files, or fewer in `seconds`, in child processes: after a crash another goes on behind it."""
    done = mmap.mmap(-1, 8)
    outcome = Outcome(target.what)
    start = time.monotonic()
    outcome.inputs = count
    while (first := int.from_bytes(done[:8], "little")) < outcome.inputs:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            try:
                _child(target, count, seed, folder, first, done, writer, seconds)
            finally:
                os._exit(1)
        os.close(writer)
        with os.fdopen(reader) as lines:
            outcome.faults += [(bytes.fromhex(data), what) for data, what in map(json.loads, lines)]
        status = os.waitpid(child, 0)[1]
        if os.waitstatus_to_exitcode(status) == _ENOUGH:
            outcome.inputs = int.from_bytes(done[:8], "little")
        elif status:
            path = folder / target.name
            data = path.read_bytes() if path.exists() else b""
            ended = f"killed by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "the process ended"
            outcome.faults.append((data, ended))
            done[:8] = (int.from_bytes(done[:8], "little") + 1).to_bytes(8, "little")
    outcome.seconds = time.monotonic() - start
    return outcome


def _child(
    target: Target, count: int, seed: int, folder: Path, first: int, done: mmap.mmap, writer: int, seconds: float
) -> None:
    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    start = time.process_time()
    with os.fdopen(writer, "w") as lines:
        for i, data in enumerate(inputs(target, count, seed)):
            if i < first:
                continue
            signal.alarm(_HANGS)
            if what := fault(target, folder / target.name, data):
                lines.write(json.dumps([data.hex(), what]) + "\n")
                lines.flush()
            done[:8] = (i + 1).to_bytes(8, "little")
            if time.process_time() - start > seconds:
                lines.flush()
                os._exit(_ENOUGH)
    os._exit(0)


def page(outcomes: list[Outcome], seed: int, count: int, seconds: float) -> str:
    """The recorded run as a page of the documentation."""
    total, faults = sum(o.inputs for o in outcomes), sum(len(o.faults) for o in outcomes)
    limit = f", or what it read in {seconds:g} seconds of processor time" if seconds < 1e9 else ""
    rows = [f"| {o.what} | {o.inputs:,} | {len(o.faults)} |" for o in outcomes]
    return "\n".join(
        [
            "# Damaged files",
            "",
            "Every reader of the package gets real files with a few random changes: bytes flipped, cut, repeated,",
            "numbers made huge. A file must be read, or refused with one message that names it, within a second and",
            "without much memory. An exception, a crash of the process, a hang, and a message that hides a mistake of",
            "the reader itself are faults.",
            "",
            "`make fuzz` runs it; `python tests/fuzz.py --record docs/fuzzing.md` writes this page.",
            f"The last run: seed {seed}; each reader got {count:,} inputs{limit}:",
            f"{len(outcomes)} readers, {total:,} inputs, {faults} faults.",
            "",
            "| reader | inputs | faults |",
            "|---|---:|---:|",
            *rows,
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2000, help="inputs for each reader")
    parser.add_argument("--seconds", type=float, default=1e9, help="processor time for each reader at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="readers at the same time")
    parser.add_argument("--only", default="", help="readers with this word")
    parser.add_argument("--record", type=Path, help="the page to write")
    given = parser.parse_args()
    log.set_stderr(False)
    torch.set_num_threads(1)
    outcomes = []
    with tempfile.TemporaryDirectory() as name:
        chosen = [target for target in targets(Path(name)) if given.only in target.what]
        folders = [Path(name) / str(i) for i in range(len(chosen))]
        with ThreadPoolExecutor(given.jobs) as pool:
            read = lambda target, folder: run_apart(target, given.count, given.seed, folder, given.seconds)  # noqa: E731
            for outcome in pool.map(read, chosen, folders):
                outcomes.append(outcome)
                _show(outcome)
    if given.record:
        given.record.write_text(page(outcomes, given.seed, given.count, given.seconds))
    faults = sum(len(o.faults) for o in outcomes)
    print(f"{sum(o.inputs for o in outcomes):,} inputs, {faults} faults")
    return 1 if faults else 0


def _show(outcome: Outcome) -> None:
    print(f"{outcome.what}: {outcome.inputs} inputs, {len(outcome.faults)} faults, {outcome.seconds:.1f} s", flush=True)
    for data, what in outcome.faults[:3]:
        print(f"  {what[:300]}\n    {data[:200]!r}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""All that is measured on a CUDA device, in one run of at most ten minutes on an H100 or H200: `make bench_gpu`.

    python bench/gpu.py --json gpu.json            # run every part; a part that fails is said, and the others go on
    python bench/gpu.py --show gpu.json            # the tables of docs/benchmarks.md from the figures of a run
    python bench/gpu.py --device cpu --small       # the same parts, small, to try the script where there is no device

Parts: the recordings of a C++ Caffe and every layer type, on the device against what they have to be; LargeFOV forward;
training of LargeFOV at batch 30 and of ResNet-101 with three scales at batch 10, each beside the same net hand-written
(channels_last, bfloat16 by autocast, compiled); the CRF in batches.

On a machine without a network, carry the wheels. Where there is one:

    pip freeze --exclude-editable | grep -vi '^torch\\|^nvidia' > needed.txt
    pip download --only-binary=:all: --no-deps -d wheels -r needed.txt

with `--python-version` and `--platform` of that machine if they differ. There, where PyTorch sees the device:

    python -m pip install --no-index --no-deps --target site wheels/*.whl
    PYTHONPATH=site:python python bench/gpu.py --json gpu.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import timing

BENCH, ROOT = Path(__file__).parent, Path(__file__).parent.parent
RESNET = ROOT / "prototxt" / "voc12" / "resnet101_msc_aspp" / "train.prototxt"


class Part(NamedTuple):
    """A script and its words, smaller ones for a try, and the seconds that it may take."""

    script: list[str]
    small: list[str]
    seconds: int


PARTS = {
    "forward": Part(["forward.py", "--repeat", "20"], ["--size", "65", "--repeat", "1"], 90),
    "training, LargeFOV": Part(
        ["train.py", "--batch", "30", "--compile", "--repeat", "10"],
        ["--batch", "1", "--crop", "65", "--repeat", "1", "--only", "ours", "PyTorch, channels_last"],
        150,
    ),
    "training, ResNet-101": Part(
        ["train.py", "--net", str(RESNET), "--batch", "10", "--compile", "--repeat", "5"],
        ["--batch", "1", "--crop", "65", "--repeat", "1", "--only", "ours", "PyTorch, channels_last"],
        210,
    ),
    "CRF": Part(["crf_batches.py"], ["--batches", "1", "--repeat", "1"], 60),
}
AGREEMENT_SECONDS = 90


def measure(device: str, small: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The figures of each part, or why there are none."""
    yield "agreement", _agreement(device)
    for name, part in PARTS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "figures.json"
            command = [str(BENCH / part.script[0]), *part.script[1:], *(part.small if small else [])]
            seconds = part.seconds * (4 if small else 1)  # a CPU may be slower
            failure = _run([*command, "--device", device, "--json", str(path)], seconds)[0]
            yield name, {"failed": failure} if failure else json.loads(path.read_text())


def _agreement(device: str) -> dict[str, Any]:
    """The last line of the tests that compare the device with the recordings, and with the CPU."""
    chosen = "cuda" if device == "cuda" else "test_waiting"
    failure, output = _run(["-m", "pytest", str(ROOT / "tests" / "caffe"), "-k", chosen], AGREEMENT_SECONDS)
    return {"failed": failure} if failure else {"title": output.strip().splitlines()[-1]}


def _run(words: list[str], seconds: int) -> tuple[str, str]:
    """Run Python; why it failed ("" if it did not), and what it printed."""
    try:
        done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"not done after {seconds} s", ""
    print(done.stdout, end="", flush=True)
    lines = (done.stderr or done.stdout).strip().splitlines()
    return (lines[-1] if lines else f"exit {done.returncode}") if done.returncode else "", done.stdout


def show(found: dict[str, Any]) -> None:
    """Print the tables in Markdown."""
    for name, part in found.items():
        print(f"\n{name}: {part.get('failed') or part['title']}\n")
        figures = part.get("figures", {})
        columns = list(next(iter(figures.values()), {}))
        if columns:
            rows = [[row, *(f"{values[column]:.4g}" for column in columns)] for row, values in figures.items()]
            print(timing.table(["", *columns], rows))


def main() -> None:
    """Measure and write, or show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("gpu.json"), metavar="FILE", help="where figures are written")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print the tables of a run instead")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--small", action="store_true", help="small sizes, to try the script")
    arguments = parser.parse_args()
    if arguments.show:
        show(json.loads(arguments.show.read_text()))
        return
    began, found = time.monotonic(), {}
    for name, part in measure(arguments.device, arguments.small):
        found[name] = part
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
        print(f"== {name}: {part.get('failed', 'done')}, {time.monotonic() - began:.0f} s so far", flush=True)
    show(found)


if __name__ == "__main__":
    main()

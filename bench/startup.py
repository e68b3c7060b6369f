"""How long commands take that compute nothing, beside Python's own start and the import of PyTorch.

    python bench/startup.py --repeat 7

Prints medians of processor time (user and system) and of wall time, the ratio of the first to that of `import torch`,
and which of the large libraries a command imports.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import timing

NET = Path(__file__).parents[1] / "prototxt" / "voc12" / "largefov" / "train.prototxt"
LIBRARIES = ("torch", "numba", "cv2", "scipy", "h5py", "matplotlib")
#: what is run, as words behind `deeplab`; the net is there
COMMANDS = (
    "list",
    "--help",
    "train --help",
    "weights show --help",
    "prototxt diff NET NET",
    "prototxt format NET -o OUT",
)
_SHOWS = (
    "import sys; from deeplab_caffe.cli import main; main(sys.argv[1:]); print('\\n', *sys.modules, file=sys.stderr)"
)


def commands(folder: str) -> dict[str, list[str]]:
    """What is measured, by name."""
    files = {"NET": str(NET), "OUT": os.path.join(folder, "out.prototxt")}
    ours = {
        f"deeplab {text}": [sys.executable, "-c", _SHOWS, *(files.get(word, word) for word in text.split())]
        for text in COMMANDS
    }
    return {"python": [sys.executable, "-c", ""], **ours, "import torch": [sys.executable, "-c", "import torch"]}


def run(command: list[str]) -> tuple[float, float]:
    """Processor time and wall time of a process, in seconds."""
    before, begin = os.times(), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = os.times()
    used = after.children_user - before.children_user + after.children_system - before.children_system
    return used, time.perf_counter() - begin


def imported(command: list[str]) -> str:
    """The large libraries that a command of ours imports."""
    if _SHOWS not in command:
        return "-"
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    found = {*done.stderr.split()}
    return ", ".join(name for name in LIBRARIES if name in found) or "none"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tasks = commands(folder)
        taken = {name: [run(command)] for name, command in tasks.items()}  # the first fills the disk's cache
        for _ in range(arguments.repeat):
            for name, command in tasks.items():
                taken[name].append(run(command))
        medians = {name: [statistics.median(x) for x in zip(*found[1:], strict=True)] for name, found in taken.items()}
        whole = medians["import torch"][0]
        rows = [
            [name, f"{cpu:.2f}", f"{wall:.2f}", f"{cpu / whole:.2f}", imported(tasks[name])]
            for name, (cpu, wall) in medians.items()
        ]
    print(f"{timing.machine(1, 'cpu')}, median of {arguments.repeat}\n")
    print(timing.table(["", "processor s", "wall s", "to import torch", "imports"], rows))


if __name__ == "__main__":
    main()

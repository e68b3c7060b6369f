"""How long commands take that compute nothing, beside Python's own start and the import of PyTorch.

    python bench/startup.py --repeat 7
    python bench/startup.py --exp exper/demo_quick    the finished `demo --quick` whose stages are asked again

Without --exp the experiment is made first, in some minutes. Prints medians of processor time (user and system) and of
wall time, the goal for the first, its ratio to that of `import torch`, and which of the large libraries a command
imports. Modules' byte code is kept, as it is after any first start.
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

NETS = Path(__file__).parents[1] / "prototxt" / "voc12" / "largefov"
LIBRARIES = ("torch", "numba", "cv2", "scipy", "h5py", "matplotlib")
STAGES = ("data", "prototxt", "train", "train2", "test", "search", "crf", "evaluate", "report", "all")
#: seconds of a processor that each command of a group may take; None: no goal
GOALS = {"light": 0.4, "done": 1.0, "others": None}
#: what is run, as words behind `deeplab`; the words in capitals are files and folders
COMMANDS = {
    "light": (
        "list",
        "--help",
        "train --help",
        "prototxt voc12/largefov",
        "prototxt diff NET OTHER",
        "prototxt format NET -o OUT",
        "prototxt upgrade NET -o OUT",
        "prototxt lint --no-shapes NET",
        "weights show WEIGHTS",
        "log LOG",
    ),
    "done": tuple(f"{stage} demo --quick --exp EXP" for stage in STAGES),
    "others": ("completion bash", "prototxt lint NET", "prototxt inspect NET", "prototxt view NET -o OUT"),
}
_SHOWS = (
    "import sys; from deeplab_caffe.cli import main; main(sys.argv[1:]); print('\\n', *sys.modules, file=sys.stderr)"
)


def commands(folder: str, experiment: str) -> dict[str, tuple[list[str], float | None]]:
    """What is measured, by name, each with its goal."""
    weights = next(Path(experiment, "model").glob("train_iter_*.caffemodel"))
    files = {
        "NET": str(NETS / "train.prototxt"),
        "OTHER": str(NETS / "test.prototxt"),
        "OUT": os.path.join(folder, "out.prototxt"),
        "WEIGHTS": str(weights),
        "LOG": os.path.join(experiment, "log", "train.log"),
        "EXP": experiment,
    }
    ours = {
        f"deeplab {text}": ([sys.executable, "-c", _SHOWS, *(files.get(word, word) for word in text.split())], goal)
        for group, goal in GOALS.items()
        for text in COMMANDS[group]
    }
    python = [sys.executable, "-c"]
    return {"python": ([*python, ""], None), **ours, "import torch": ([*python, "import torch"], None)}


def finished(folder: str) -> str:
    """The folder of an experiment whose stages are done."""
    path = os.path.join(folder, "demo")
    words = ["-m", "deeplab_caffe.cli", "all", "demo", "--quick", "--exp", path]
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return path


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
    text = "a finished experiment, of deeplab all demo --quick --exp FOLDER"
    parser.add_argument("--exp", metavar="FOLDER", help=text)
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        tasks = commands(folder, os.path.abspath(arguments.exp or finished(folder)))
        os.chdir(folder)  # where `prototxt voc12/largefov` writes
        taken = {name: [run(command)] for name, (command, _) in tasks.items()}  # the first fills the disk's cache
        for _ in range(arguments.repeat):
            for name, (command, _) in tasks.items():
                taken[name].append(run(command))
        medians = {name: [statistics.median(x) for x in zip(*found[1:], strict=True)] for name, found in taken.items()}
        whole = medians["import torch"][0]
        rows = [
            [
                name,
                f"{cpu:.2f}",
                "" if tasks[name][1] is None else f"{tasks[name][1]:.1f}",
                f"{wall:.2f}",
                f"{cpu / whole:.2f}",
                imported(tasks[name][0]),
            ]
            for name, (cpu, wall) in medians.items()
        ]
    print(f"{timing.machine(1, 'cpu')}, median of {arguments.repeat}\n")
    print(timing.table(["", "processor s", "goal", "wall s", "to import torch", "imports"], rows))


if __name__ == "__main__":
    main()

"""What a result was made with and on: versions, commit, hardware, date."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

#: packages whose versions are recorded, and what people call them
PACKAGES = {
    "deeplab-caffe": "deeplab-caffe",
    "torch": "torch",
    "numpy": "numpy",
    "opencv-python-headless": "OpenCV",
}


def made_with() -> dict[str, str]:
    """What runs now: date and time, versions of this package and its libraries, commit, operating system, hardware."""
    found = {"date": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %z"), **versions()}
    if made_from := commit():
        found["commit"] = made_from
    return found | {"Python": platform.python_version(), "system": platform.platform(), **hardware_parts()}


def versions(packages: Sequence[str] = tuple(PACKAGES)) -> dict[str, str]:
    """{name as people say it: version} of the packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[PACKAGES[package]] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def versions_text() -> str:
    """The versions of this package, PyTorch and numpy in one line, as `torch 2.4.0, …`."""
    return ", ".join(f"{name} {version}" for name, version in versions(("deeplab-caffe", "torch", "numpy")).items())


def commit() -> str:
    """The commit of the clone that this package lies in, with a plus if files under version control have changed.

    Empty if it lies in none, such as in a virtual environment within another project's repository.
    """
    folder = Path(__file__).resolve().parent
    if not _git(folder, "ls-files", Path(__file__).name):
        return ""
    name = _git(folder, "rev-parse", "--short=12", "HEAD")
    return f"{name}{'+' * bool(_git(folder, 'status', '--porcelain', '--untracked-files=no'))}"


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def hardware() -> str:
    """The GPU of this machine, or its processor and the number of cores that this process may use."""
    parts = hardware_parts()
    return parts.get("GPU") or f"{parts['processor']}, {parts['cores']} core{'s' * (parts['cores'] != '1')}"


def hardware_parts() -> dict[str, str]:
    """The processor, how many of its cores this process may use, and the GPUs if there are any."""
    import torch

    found = {"processor": _processor(), "cores": str(_cores())}
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return found | ({"GPU": ", ".join(gpus)} if gpus else {})


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def by_stage(records: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What the stages of an experiment were made with, for people: where they differ, the stages are named.

    Args:
        records: {stage: what `made_with` returned when it was finished}.

    Example:
        >>> by_stage({"train": {"torch": "2.1", "cores": "8"}, "test": {"torch": "2.1", "cores": "2"}})
        {'torch': '2.1', 'cores': '8 (train); 2 (test)'}
    """
    found = {}
    for what in dict.fromkeys(name for record in records.values() for name in record):
        stages: dict[str, list[str]] = {}
        for stage, record in records.items():
            if what in record:
                stages.setdefault(record[what], []).append(stage)
        texts = [f"{value} ({', '.join(names)})" for value, names in stages.items()]
        found[what] = next(iter(stages)) if len(stages) == 1 else "; ".join(texts)
    return found

"""What a result was made on and with: hardware, versions of packages, the commit of the working folder."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

#: packages whose versions are recorded
_PACKAGES = ("deeplab-caffe", "torch", "numpy")


def hardware() -> str:
    """The GPU of this machine, or its processor and the number of cores that this process may use."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{_processor()}, {cores} core{'s' * (cores != 1)}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def commit() -> str:
    """The commit of the working folder, with a plus if files under version control have changed; else `unknown`."""
    found = _git("rev-parse", "--short=12", "HEAD")
    return f"{found}{'+' * bool(_git('status', '--porcelain', '--untracked-files=no'))}" if found else "unknown"


def _git(*words: str) -> str:
    try:
        return subprocess.run(["git", *words], capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def versions() -> str:
    """The versions of this package, torch and numpy, as `torch 2.4.0, …`."""
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)

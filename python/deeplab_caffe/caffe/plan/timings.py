"""How long algorithms took on this machine, kept between runs in the user's cache folder.

A file holds the times of one processor with one set of versions, which its name and its first entry tell. What it says
changes how fast a plan is and never what it computes, so a file that is damaged, or is of another machine, is done
without, and one that cannot be written is not.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...files import write_text
from ...lazy import imported_on_use

if TYPE_CHECKING:
    from ...kernels import kernel_cache, registers
else:
    kernel_cache = imported_on_use("deeplab_caffe.kernels.kernel_cache")
    registers = imported_on_use("deeplab_caffe.kernels.registers")

Rates = dict[str, float]

_NEAR = 1.25  # sizes that differ by no more have the same rates
_MOST_BYTES, _MOST_KEYS = 4 << 20, 4000


class Timings:
    """Seconds per unit of work of each algorithm, by what is computed and its size.

    folder: where the file is; None to keep nothing on disk.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def find(self, key: str, size: int) -> Rates | None:
        """What was measured at a size near to this one."""
        with self._lock:
            return _nearest(self._known.get(key, {}), size)

    def add(self, key: str, size: int, rates: Rates) -> None:
        """Keep what was measured, together with what other processes have written since."""
        with self._lock:
            path = self._path
            if path is not None:
                for other, sizes in _read(path, self._made_with).items():
                    self._known.setdefault(other, {}).update(sizes)
            self._known.setdefault(key, {})[size] = rates
            if path is not None:
                kept = dict(list(self._known.items())[-_MOST_KEYS:])
                with contextlib.suppress(OSError):
                    write_text(path, json.dumps({"made with": self._made_with, "seconds": kept}, indent=1))

    @cached_property
    def _known(self) -> dict[str, dict[int, Rates]]:
        return {} if self._path is None else _read(self._path, self._made_with)

    @cached_property
    def _made_with(self) -> str:
        pytorch = f"PyTorch {torch.__version__} {torch.backends.cpu.get_cpu_capability()}"
        return f"{_model_name()}, {registers.PROCESSOR}, {pytorch}, loops {kernel_cache.source_digest()}"

    @cached_property
    def _path(self) -> Path | None:
        digest = hashlib.blake2b(self._made_with.encode(), digest_size=8).hexdigest()
        return self._folder / f"convolutions-{digest}.json" if self._folder else None


def _nearest(sizes: dict[int, Rates], size: int) -> Rates | None:
    near = min(sizes, key=lambda other: max(other, size) / max(1, min(other, size)), default=None)
    if near is None or max(near, size) > _NEAR * min(near, size):
        return None
    return sizes[near]


def _read(path: Path, made_with: str) -> dict[str, dict[int, Rates]]:
    """The times in a file; none of a file that is missing, damaged or of another machine."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return {}
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["made with"] != made_with:
            return {}
        seconds = content["seconds"].items()
        return {str(key): {int(size): _rates(rates) for size, rates in sizes.items()} for key, sizes in seconds}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _rates(content: dict[str, Any]) -> Rates:
    rates = {str(name): float(seconds) for name, seconds in content.items()}
    if not all(0 < seconds < 1e6 for seconds in rates.values()):
        raise ValueError("times are positive")
    return rates


def _model_name() -> str:
    """The processor as the system names it, where it does."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return "processor"


def _user_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "deeplab_caffe"


#: those of this process
timings = Timings(_user_folder())

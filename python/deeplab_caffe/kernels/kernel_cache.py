"""How compiled loops are declared, and where their machine code is kept between runs.

All compiled loops of the package are in this folder. Numba's own cache checks only the file that holds a function:
after an edit of a file that the function calls into, the old machine code would still be used. Here the code of each
state of the sources has a folder of its own, `kernels-<digest of all files in this folder>`. It is neither read nor
written once the files differ from those that this process started with. The loops use nothing of the package outside
this folder, which a test checks.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba import njit
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache

INLINED = {"nogil": True, "forceinline": True}
_SOURCES = Path(__file__).parent
_DAMAGED = (OSError, EOFError, pickle.UnpicklingError)
_KEPT_FOLDERS = 4  # machine code of so many states of the sources is kept, for those who switch between branches


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function when it is first called with arguments of new types, and keep the machine code on disk.

    It runs without Python's lock. Where no cache folder can be written, the machine code is kept in memory only.
    """
    compiled = njit(nogil=True)(function)
    compiled._cache = _DiskCache(function) if CACHE_FOLDER else _MemoryCache()
    return compiled


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function for kernels to call, which becomes part of each of them."""
    return njit(**INLINED)(function)


def separate(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function for kernels to call, compiled once for all its callers within a kernel."""
    return njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


def source_digest() -> str | None:
    """A digest of all files of this folder and of the compiler's versions; None where the files cannot be read."""
    total = hashlib.blake2b(f"{numba.__version__} {llvmlite.__version__}".encode(), digest_size=12)
    try:
        contents = {path.name: path.read_bytes() for path in sorted(_SOURCES.glob("*.py"))}
    except OSError:
        return None
    for name, content in contents.items():
        total.update(f"\n{name} {len(content)}\n".encode() + content)
    return total.hexdigest() if contents else None


def _bases() -> Iterator[Path]:
    """Where cache folders may be, the first that can be written is used."""
    if config.CACHE_DIR:  # NUMBA_CACHE_DIR
        yield Path(config.CACHE_DIR) / "deeplab_caffe"
    yield _SOURCES / "__pycache__"
    yield Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "deeplab_caffe"


def _cache_folder() -> Path | None:
    """The folder of the machine code of these sources; None where none can be written."""
    for base in _bases() if _DIGEST else ():
        folder = base / f"kernels-{_DIGEST}"
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            with contextlib.suppress(OSError):  # another process may remove them too
                _remove_old_folders(folder)
            return folder
    return None


def _remove_old_folders(used: Path) -> None:
    others = [folder for folder in used.parent.glob("kernels-*") if folder != used]
    for folder in sorted(others, key=lambda folder: -folder.stat().st_mtime)[_KEPT_FOLDERS - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)


#: of the sources when this process read the first of them
_DIGEST = source_digest()
CACHE_FOLDER = _cache_folder()


class _Location:
    """Where numba's cache files of a function are; what numba calls a locator."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._py_file = function.__code__.co_filename

    def get_cache_path(self) -> str:
        return str(CACHE_FOLDER)

    def get_source_stamp(self) -> str | None:
        return _DIGEST

    def ensure_cache_path(self) -> None:
        Path(self.get_cache_path()).mkdir(parents=True, exist_ok=True)


class _DiskCacheFiles(CompileResultCacheImpl):
    def __init__(self, function: Callable[..., Any]) -> None:
        self._locator, self._lineno = _Location(function), function.__code__.co_firstlineno
        module = function.__module__.rpartition(".")[2]
        python = f"py{sys.version_info[0]}{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
        self._filename_base = f"{module}.{function.__qualname__}-{self._lineno}.{python}"


class _DiskCache(FunctionCache):
    """Numba's cache of one function in `CACHE_FOLDER`. A file that cannot be read or written is done without."""

    _impl_class = _DiskCacheFiles

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        found = None
        if source_digest() == _DIGEST:
            try:
                found = super().load_overload(sig, target_context)
            except _DAMAGED:
                with contextlib.suppress(OSError):
                    self.flush()
        if found is None:
            _announce("kept for later runs")
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        if source_digest() == _DIGEST:
            with contextlib.suppress(*_DAMAGED):
                super().save_overload(sig, data)


class _MemoryCache(NullCache):
    def load_overload(self, sig: Any, target_context: Any) -> None:
        _announce("not kept, as no cache folder can be written")


_announced: list[str] = []


def _announce(kept: str) -> None:
    """Say once in this process that loops are being compiled."""
    if not _announced:
        _announced.append(kept)
        print(f"compiling loops for this processor, some seconds; {kept}", file=sys.stderr, flush=True)

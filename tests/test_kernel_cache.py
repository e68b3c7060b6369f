"""Machine code of compiled loops: never that of other sources, kept between runs, done without where it must be."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deeplab_caffe.kernels import kernel_cache

KERNELS = Path(kernel_cache.__file__).parent
PACKAGE = KERNELS.parent

# a kernel that compiles fast: it gives 3 / argument by way of `vector.inverse`
SMALL = """
from .kernel_cache import kernel
from .vector import inverse

@kernel
def three_over(value):
    return 3 * inverse(value)
"""

PROGRAM = """
import sys
import numpy as np
from deeplab_caffe.kernels import kernel_cache, small, vector

if "edit" in sys.argv:
    with open(vector.__file__, "a") as file:
        file.write("# edited while this process runs\\n")
if "where" in sys.argv:
    sys.exit(f"{kernel_cache.CACHE_FOLDER.parent}")
value = small.three_over(np.float32(4))
folder = kernel_cache.CACHE_FOLDER
kept = len(list(folder.glob("*.nbc"))) if folder else None
print(value, sum(small.three_over.stats.cache_hits.values()), kept, folder)
"""


class Checkout:
    """A copy of the kernels, and one more, whose sources may be edited; `run` calls that one in a new process."""

    def __init__(self, folder: Path) -> None:
        self.kernels, self._folder = folder / "deeplab_caffe" / "kernels", folder
        shutil.copytree(KERNELS, self.kernels, ignore=shutil.ignore_patterns("__pycache__"))
        (self.kernels / "small.py").write_text(SMALL)
        (folder / "deeplab_caffe" / "__init__.py").touch()
        self.cache = folder / "cache"

    def run(self, *arguments: str, **environment: str) -> tuple[str, int, str, str, str]:
        """The value, how often the machine code came from the disk, what is kept and where, and standard error."""
        done = self._process(arguments, environment)
        assert done.returncode == 0, done.stderr
        value, hits, kept, folder = done.stdout.split()
        return value, int(hits), kept, folder, done.stderr

    def where(self, **environment: str) -> Path:
        """The folder that cache folders are made in."""
        return Path(self._process(("where",), environment).stderr.strip())

    def _process(self, arguments: tuple[str, ...], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        usual = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
        env = {**usual, "PYTHONPATH": str(self._folder), "XDG_CACHE_HOME": str(self.cache), **environment}
        env["PYTHONDONTWRITEBYTECODE"] = "1"  # Python's own cache looks at the date and size of a source alone
        command = [sys.executable, "-c", PROGRAM, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=300, check=False)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text by text of the same length, and leave the file's date as it was."""
        path = self.kernels / name
        date, text = path.stat().st_mtime_ns, path.read_text()
        assert len(old) == len(new) and text.count(old) == 1
        path.write_text(text.replace(old, new))
        os.utime(path, ns=(date, date))


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_an_edit_of_any_source_is_compiled(checkout):
    value, hits, kept, folder, said = checkout.run()
    assert (value, hits, kept) == ("0.75", 0, "1")
    assert Path(folder).parent == checkout.kernels / "__pycache__"
    assert said.count("\n") == 1 and "compiling loops" in said and said.endswith("kept for later runs\n")
    assert checkout.run() == ("0.75", 1, "1", folder, "")
    checkout.edit("vector.py", "ir.Constant(_FLOAT, 1.0)", "ir.Constant(_FLOAT, 2.0)")  # only called by the kernel
    assert checkout.run()[:3] == ("1.5", 0, "1")
    checkout.edit("small.py", "return 3", "return 5")
    assert checkout.run()[:3] == ("2.5", 0, "1")
    checkout.edit("small.py", "return 5", "return 3")
    checkout.edit("vector.py", "ir.Constant(_FLOAT, 2.0)", "ir.Constant(_FLOAT, 1.0)")
    assert checkout.run() == ("0.75", 1, "1", folder, ""), "the first sources are back, and so is their code"


def test_sources_that_are_edited_while_a_process_runs_are_not_mixed_up(checkout):
    assert checkout.run("edit")[:3] == ("0.75", 0, "0")


def test_a_cache_that_cannot_be_written_is_done_without(checkout):
    (checkout.kernels / "__pycache__").touch()
    value, hits, kept, _, said = checkout.run(XDG_CACHE_HOME=os.devnull)
    assert (value, hits, kept) == ("0.75", 0, "None")
    assert said.count("\n") == 1 and "not kept, as no cache folder can be written" in said
    assert checkout.where() == checkout.cache / "deeplab_caffe"
    own = checkout.cache / "own"
    assert checkout.where(NUMBA_CACHE_DIR=str(own)) == own / "deeplab_caffe"


def test_damaged_files_are_compiled_anew(checkout):
    folder = Path(checkout.run()[3])
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:20])
    assert checkout.run()[:3] == ("0.75", 0, "1")
    assert checkout.run()[:3] == ("0.75", 1, "1")


def test_the_latest_folders_are_kept(tmp_path):
    folders = [tmp_path / f"kernels-{number}" for number in range(7)]
    for number, folder in enumerate(folders):
        folder.mkdir()
        os.utime(folder, (number, number))
    kernel_cache._remove_old_folders(folders[0])
    assert sorted(tmp_path.iterdir()) == [folders[0], *folders[4:]]


def _imports(path: Path) -> set[str]:
    """What a module imports: the first part of absolute names, dots for its own folder and those above."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level or (node.module or "").partition(".")[0])
    return found


def test_the_digest_covers_all_that_kernels_are_made_of():
    for path in KERNELS.glob("*.py"):
        outside = _imports(path) - {".", "numpy", "numba", "llvmlite"} - sys.stdlib_module_names
        assert not outside, f"{path.name} imports {outside}, an edit of which would go unnoticed"
    assert not [
        path
        for path in KERNELS.rglob("*")
        if path.is_dir() and path.name != "__pycache__" and "__pycache__" not in path.parts
    ]
    elsewhere = [path for path in PACKAGE.rglob("*.py") if path.parent != KERNELS and "numba" in _imports(path)]
    assert not elsewhere, "kernels belong into kernels/, whose digest names the cache folder"

"""Examples run: those of docstrings (`>>>`), and the blocks of pages that are marked `<!-- runnable -->`."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = [ROOT / "python" / name for name in ("deeplab_caffe", "deeplab_layers")]
MODULES = sorted(p for folder in PACKAGES for p in folder.rglob("*.py") if ">>> " in p.read_text(encoding="utf-8"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_RUNNABLE = re.compile(r"<!-- runnable -->\n+```python\n(.*?)```", re.DOTALL)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def _dotted(path: Path) -> str:
    parts = path.relative_to(ROOT / "python").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("path", MODULES, ids=_dotted)
def test_examples_of_docstrings(path: Path) -> None:
    module = importlib.import_module(_dotted(path))
    failed, tried = doctest.testmod(module, optionflags=_FLAGS)
    assert tried, "no doctest of this module is found: does `>>>` stand outside a docstring?"
    assert not failed


RUNNABLE = [page for page in PAGES if "<!-- runnable -->" in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_blocks_of_pages(page: Path) -> None:
    """All of a page, in its order, in one name space; a block with `>>>` is compared with what it says."""
    text = page.read_text(encoding="utf-8")
    blocks = _RUNNABLE.findall(text)
    assert len(blocks) == text.count("<!-- runnable -->"), "the mark belongs right above a ```python block"
    names: dict[str, object] = {"__name__": "__main__"}
    for i, block in enumerate(blocks):
        if ">>> " in block:
            test = doctest.DocTestParser().get_doctest(block, names, f"{page.name}, block {i}", str(page), 0)
            result = doctest.DocTestRunner(optionflags=_FLAGS).run(test, clear_globs=False)
            assert not result.failed
            names = test.globs
        else:
            exec(compile(block, f"{page.name}, block {i}", "exec"), names)


def test_there_are_blocks_that_run() -> None:
    assert RUNNABLE

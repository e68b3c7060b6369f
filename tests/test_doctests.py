"""The examples of docstrings (`>>>`) run; `tests/test_doc_blocks.py` runs those of pages."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = [ROOT / "python" / name for name in ("deeplab_caffe", "deeplab_layers")]
MODULES = sorted(p for folder in PACKAGES for p in folder.rglob("*.py") if ">>> " in p.read_text(encoding="utf-8"))
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

"""The shipped layers are written so that Python 2.7 reads them, which old pycaffes run on."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent.parent.parent / "python" / "deeplab_layers"
_FILES = sorted(_FOLDER.glob("*.py"))
#: syntax that came with Python 3, by the name of its node
_NEW_NODES = (
    "JoinedStr", "FormattedValue", "AnnAssign", "NamedExpr", "Nonlocal", "AsyncFunctionDef", "AsyncFor", "AsyncWith",
    "Await", "YieldFrom", "MatMult", "Match", "TryStar", "TypeAlias",
)  # fmt: skip
#: built-in names that Python 2.7 lacks
_NEW_NAMES = {
    "FileNotFoundError", "FileExistsError", "PermissionError", "IsADirectoryError", "NotADirectoryError",
    "ModuleNotFoundError", "RecursionError", "StopAsyncIteration", "TimeoutError", "ascii", "breakpoint", "nonlocal",
    "aiter", "anext",
}  # fmt: skip
#: methods and keywords that Python 2.7 or the numpy of its time lack
_NEW_ATTRIBUTES = {
    "removeprefix", "removesuffix", "casefold", "isascii", "read_text", "write_text", "from_bytes", "to_bytes",
    "default_rng", "stack", "isin", "in1d", "put_along_axis", "take_along_axis", "flip", "moveaxis", "einsum_path",
}  # fmt: skip


def _faults(tree: ast.AST) -> list[str]:
    found = []
    for node in ast.walk(tree):
        kind, line = type(node).__name__, getattr(node, "lineno", "?")
        if kind in _NEW_NODES:
            found.append(f"{line}: {kind}")
        if isinstance(node, ast.arguments):
            own = [*node.posonlyargs, *node.args, *node.kwonlyargs, *filter(None, (node.vararg, node.kwarg))]
            found += [f"{a.lineno}: annotation" for a in own if a.annotation]
            found += [f"{a.lineno}: keyword-only, or positional-only" for a in node.kwonlyargs + node.posonlyargs]
        if isinstance(node, ast.FunctionDef) and node.returns:
            found.append(f"{line}: annotation")
        if isinstance(node, ast.ClassDef) and (node.keywords or not node.bases):
            found.append(f"{line}: a class without a base, or with a metaclass by keyword")
        if isinstance(node, ast.Raise) and node.cause:
            found.append(f"{line}: raise … from")
        if isinstance(node, ast.Call):
            found += _faulty_call(node)
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)) and any(isinstance(e, ast.Starred) for e in node.elts):
            found.append(f"{line}: a starred item")
        if isinstance(node, ast.Dict) and None in node.keys:
            found.append(f"{line}: ** in a dict")
        if isinstance(node, ast.Name) and node.id in _NEW_NAMES:
            found.append(f"{line}: {node.id}")
        if isinstance(node, ast.Attribute) and node.attr in _NEW_ATTRIBUTES:
            found.append(f"{line}: {node.attr}")
    return found


def _faulty_call(node: ast.Call) -> list[str]:
    found = []
    stars = [i for i, a in enumerate(node.args) if isinstance(a, ast.Starred)]
    if stars and stars != [len(node.args) - 1]:
        found.append(f"{node.lineno}: arguments behind *")
    if sum(k.arg is None for k in node.keywords) > 1:
        found.append(f"{node.lineno}: two ** in a call")
    if isinstance(node.func, ast.Name):
        if node.func.id == "super" and not node.args:
            found.append(f"{node.lineno}: super() without arguments")
        if node.func.id == "print" or (node.func.id == "open" and any(k.arg == "encoding" for k in node.keywords)):
            found.append(f"{node.lineno}: {node.func.id}")
    return found


@pytest.mark.parametrize("path", _FILES, ids=lambda p: p.name)
def test_reads_in_python_27(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.isascii(), "Python 2.7 wants a coding line for anything but ASCII"
    assert _faults(ast.parse(text)) == []
    assert not re.search(r"\b\d+_\d+\b", text), "underscores in numbers"
    assert not re.search(r"[(,]\s*\*\w+,\s*\)", text), "a comma behind * in a call"
    divides = any(isinstance(node, ast.Div) for node in ast.walk(ast.parse(text)))
    assert "from __future__ import absolute_import" + ", division" * divides in text


@pytest.mark.parametrize("path", _FILES, ids=lambda p: p.name)
def test_needs_numpy_alone(path: Path) -> None:
    """Of what is not in the standard library; OpenCV and Pillow where they are there."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add((node.module or "").split(".")[0])
    standard = {"__future__", "ast", "io", "json", "math", "os", "re", "shutil", "struct", "zlib"}
    assert imported <= standard | {"caffe", "numpy", "cv2", "PIL"}


@pytest.mark.parametrize(
    "text",
    [
        "f'{x}'", "x: int = 1", "def f(*, a): pass", "def f(a: int): pass", "def f() -> int: pass", "a @ b",
        "[*a]", "f(*a, b)", "super()", "raise A from b", "class A: pass", "open(a, encoding='x')", "(x := 1)",
        "{**a}", "FileNotFoundError", "np.stack(a)", "print(a)",
    ],
)  # fmt: skip
def test_faults_are_found(text: str) -> None:
    assert _faults(ast.parse(text))

"""Packages whose names are imported on first use, so that a command that needs no PyTorch starts without it."""

from __future__ import annotations

import ast
import importlib
import sys
from types import ModuleType
from typing import Any


class _Package(ModuleType):
    """A package that imports a name from its module when the name is first asked for (PEP 562, and more).

    A function may have the name of its module: the package then has the function, as if it were imported at once.
    """

    def __getattr__(self, name: str) -> Any:
        home = self.__dict__["_homes"].get(name)
        if home is None:
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'", name=name, obj=self)
        value = importlib.import_module(home or f".{name}", self.__name__)
        self.__dict__[name] = found = getattr(value, name) if home else value
        return found

    def __setattr__(self, name: str, value: Any) -> None:
        imported = isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}"
        own = imported and self.__dict__["_homes"].get(name) == f".{name}"
        super().__setattr__(name, getattr(value, name) if own else value)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *self.__dict__["_homes"]} - {"_homes"})


def import_on_use(package: str) -> None:
    """Let a package have the names that its `__init__` imports under `if TYPE_CHECKING:`, each imported on first use.

    So there is one list of them, in the form that type checkers, editors and the documentation read too.

    Args:
        package: its `__name__`; the call belongs at the end of its `__init__`.
    """
    module = sys.modules[package]
    assert module.__spec__ is not None
    source = module.__spec__.loader.get_source(package)  # type: ignore[union-attr]
    module.__dict__["_homes"] = _homes(ast.parse(source))
    module.__class__ = _Package


def _homes(tree: ast.Module) -> dict[str, str]:
    """Each name with the module that it comes from, as a relative name; empty for a name that is a module itself."""
    blocks = [node.body for node in tree.body if isinstance(node, ast.If) and _is_for_types(node.test)]
    homes: dict[str, str] = {}
    for node in (node for block in blocks for node in block if isinstance(node, ast.ImportFrom) and node.level):
        home = f"{'.' * node.level}{node.module}" if node.module else ""
        homes |= {alias.name: home for alias in node.names}
    return homes


def _is_for_types(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


class _Library(ModuleType):
    """A library that is imported when something of it is asked for; nothing is kept here, so it may be patched."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


def imported_on_use(name: str) -> Any:
    """A library whose import takes long, for a module that uses it in functions only.

    Type checkers see the library itself if the `import` stands beside this, under `if TYPE_CHECKING:`.

    Example:
        >>> imported_on_use("math").floor(2.5)
        2
    """
    return _Library(name)

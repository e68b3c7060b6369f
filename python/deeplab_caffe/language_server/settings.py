"""What the user may set, as the editor sends it under `deeplab`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Settings:
    """The settings; names in the editor are in parentheses.

    Attributes:
        allow_python_layers: whether modules of Python layers may be imported, that is run (`allowPythonLayers`).
        inlay_hints: whether output shapes are shown behind layers' names (`inlayHints`).
        ignore: rules of lint that are not applied (`lint.ignore`).
        variables: values of template variables (`variables`).
        site: where the documentation is served, for links; "" for the project's own (`site`).
    """

    allow_python_layers: bool = False
    inlay_hints: bool = True
    ignore: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    site: str = ""

    @classmethod
    def of(cls, sent: Any) -> Settings:
        """The settings that an editor sent; what is missing or of another kind keeps its default."""
        given = sent.get("deeplab", sent) if isinstance(sent, dict) else {}
        given = given if isinstance(given, dict) else {}
        lint = given.get("lint")
        ignore = lint.get("ignore") if isinstance(lint, dict) else None
        variables = given.get("variables")
        default = cls()
        return cls(
            _if(bool, given.get("allowPythonLayers"), default.allow_python_layers),
            _if(bool, given.get("inlayHints"), default.inlay_hints),
            tuple(map(str, ignore)) if isinstance(ignore, list) else default.ignore,
            {str(k): str(v) for k, v in variables.items()} if isinstance(variables, dict) else {},
            _if(str, given.get("site"), default.site),
        )


def _if(kind: type, value: Any, default: Any) -> Any:
    return value if isinstance(value, kind) else default

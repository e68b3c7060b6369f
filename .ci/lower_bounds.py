"""Print the lower bounds in a pyproject.toml as constraints for pip: torch>=2.4 as torch==2.4.*."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import tomli


def bound(requirement: str) -> str:
    """The constraint of one requirement: the first release that its lower bound allows, with its bug fixes."""
    name, version = re.match(r"([\w.-]+)(?:\[.*?\])?>=([\d.]+)", requirement).groups()
    release = version if "." in version else f"{version}.0"
    return f"{name}=={release}.*"


if __name__ == "__main__":
    project = tomli.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]
    stated = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    print("\n".join(sorted({bound(requirement) for requirement in stated})))

"""The Containerfile: what it copies exists and is let through, and its commands install the package, where pip can."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
LINES = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
#: sources of COPY, but not those of another stage
COPIED = [word for line in LINES if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]]
PINNED = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def commands() -> list[str]:
    """The commands of RUN in the stage that builds."""
    stage = TEXT[: TEXT.rindex("\nFROM ")]
    return re.findall(r"^RUN (.*)$", stage, re.MULTILINE)


@pytest.mark.parametrize("name", COPIED)
def test_what_is_copied_exists_and_is_let_through(name: str) -> None:
    assert (ROOT / name).exists()
    allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert f"!{name}" in allowed


def test_nothing_else_is_let_through() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and line[0] not in "#!"][0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(COPIED)


def test_versions_are_those_of_the_constraints() -> None:
    """All that is installed by name has a pin, and no version stands in the file itself."""
    installs = [line for line in commands() if " install " in line and "--no-deps" not in line]
    assert len(installs) == 2 and all("-c constraints.txt" in line for line in installs)
    assert "==" not in TEXT
    block = re.search(r"^dependencies = \[(.*?)^\]", PROJECT, re.MULTILINE | re.DOTALL)
    assert block is not None
    names = re.findall(r'"([\w.-]+)', block[1])
    assert "torch" in names and {name.lower() for name in names} <= {name.lower() for name in PINNED}
    assert "setuptools" in PINNED


def test_the_python_is_a_supported_one() -> None:
    (version,) = re.findall(r"^ARG PYTHON=(.*)$", TEXT, re.MULTILINE)
    assert f'"Programming Language :: Python :: {version}"' in PROJECT


def test_it_runs_deeplab_as_an_ordinary_user() -> None:
    last = TEXT[TEXT.rindex("\nFROM ") :]
    assert 'ENTRYPOINT ["deeplab"]' in last
    assert last.index("useradd") < last.index("USER deeplab") < last.index("ENTRYPOINT")


def test_the_list_of_dependencies_is_that_of_the_project(tmp_path: Path) -> None:
    """The command that writes it is run."""
    pytest.importorskip("tomllib")
    (command,) = [line for line in commands() if "needed.txt" in line and "install" not in line]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    (tmp_path / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    subprocess.run(command, shell=True, cwd=tmp_path, check=True, env={**os.environ, "PATH": path})
    needed = (tmp_path / "needed.txt").read_text(encoding="utf-8").splitlines()
    assert "torch>=2.4" in needed and len(needed) == len(set(needed)) > 10

"""The lines of docs/editors.md in the editors that are installed, with the real server; and the extension's files."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deeplab_caffe import __version__

pytest.importorskip("pygls")

from deeplab_caffe.language_server.server import PrototxtServer
from deeplab_caffe.language_server.settings import Settings

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
VSCODE = ROOT / "editors" / "vscode"
NET = """\
layer {
  name: "data"
  type: "Input"
  top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 33 dim: 33 } }
}
layer {
  name: "first"
  type: "Convolution"
  bottom: "data"
  top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 dilation: 2 weight_filler { type: "xavier" } }
}
"""
RENAMED = NET.replace("conv1", "better")


def _blocks(language: str) -> list[str]:
    page = (ROOT / "docs" / "editors.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def _answers(command: list[str], folder: Path, **variables: str) -> dict[str, list[Any]]:
    """Run an editor in a folder with two nets, and `deeplab` of this tree in its PATH; what its script noted."""
    nets, programs, home = folder / "nets", folder / "bin", folder / "home"
    for path in (nets, programs, home):
        path.mkdir()
    for name in ("train", "deploy"):
        (nets / f"{name}.prototxt").write_text(NET)
    program = programs / "deeplab"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m deeplab_caffe.cli "$@"\n')
    program.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "python"), os.environ.get("PYTHONPATH", "")]),
        "OMP_NUM_THREADS": "1",
        "HOME": str(home),
        "RESULT": str(folder / "result.json"),
        **{f"XDG_{kind}_HOME": str(home / kind) for kind in ("CONFIG", "DATA", "STATE", "CACHE")},
        **variables,
    }
    done = subprocess.run(command, cwd=nets, env=environment, capture_output=True, text=True, timeout=300)
    assert (folder / "result.json").exists(), done.stdout + done.stderr
    rows = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert not [row for row in rows if row[0] == "problem"], (rows, done.stderr)
    return {row[0]: row[1:] for row in rows}


def _check(answers: dict[str, list[Any]]) -> None:
    message, line = answers["diagnostic"]
    assert "keeps the size with pad 2, not 1" in message and line == 12
    assert "1×4×31×31" in answers["hover"][0]
    assert answers["renamed"][0].strip() == RENAMED.strip()
    assert "1×4×31×31" in answers["table"][0]
    assert answers["deploy"][0].strip() == RENAMED.strip()  # the net beside it is renamed, too


# -- Neovim


def _neovim() -> tuple[int, ...]:
    if shutil.which("nvim") is None:
        return (0, 0)
    said = subprocess.run(["nvim", "--version"], capture_output=True, text=True).stdout
    return tuple(map(int, re.findall(r"v(\d+)\.(\d+)", said)[0]))


@pytest.mark.skipif(_neovim() < (0, 7), reason="needs Neovim 0.7 or later")
def test_neovim_with_the_lines_of_the_page(tmp_path: Path) -> None:
    current, older = _blocks("lua")
    init = tmp_path / "init.lua"
    init.write_text(current if _neovim() >= (0, 11) else older)
    commands = ["-c", f"luafile {ROOT}/editors/neovim/plugin/prototxt.lua", "-c", "edit train.prototxt"]
    flags = ["--headless", "-n", "-i", "NONE", "-u", str(init), *commands, "-S", str(HERE / "neovim.lua")]
    _check(_answers(["nvim", *flags], tmp_path))


# -- Emacs


def _has_eglot() -> bool:
    if shutil.which("emacs") is None:
        return False
    script = ["--batch", "-q", "-f", "package-initialize", "--eval", "(require 'eglot)"]
    return subprocess.run(["emacs", *script], capture_output=True).returncode == 0


@pytest.mark.skipif(not _has_eglot(), reason="needs Emacs with Eglot")
def test_emacs_with_the_lines_of_the_page(tmp_path: Path) -> None:
    [lines] = _blocks("elisp")
    init = tmp_path / "init.el"
    init.write_text(lines)
    flags = ["--batch", "-q", "-f", "package-initialize", "-l", str(init), "-l", str(HERE / "emacs.el")]
    answers = _answers(["emacs", *flags], tmp_path, MODE=str(ROOT / "editors/emacs/prototxt-mode.el"))
    _check(answers)
    assert answers["indented"] == ["layer {\n  param {\n    lr_mult: 1\n  }\n}  # {\nname: ''\n"]
    assert answers["face"] == ["font-lock-keyword-face"]


# -- VS Code


def _package() -> dict[str, Any]:
    return json.loads((VSCODE / "package.json").read_text(encoding="utf-8"))


def test_the_extension_has_the_commands_and_settings_of_the_server() -> None:
    contributed = _package()["contributes"]
    served = set(PrototxtServer().protocol.fm.commands)
    assert {command["command"] for command in contributed["commands"]} == served | {"deeplab.restart"}


def test_the_server_reads_the_settings_of_the_extension() -> None:
    settings = _package()["contributes"]["configuration"]["properties"]
    given = {"boolean": lambda default: not default, "array": lambda _: ["a"], "object": lambda _: {"A": "1"}}
    read = {name: about for name, about in settings.items() if name not in ("deeplab.path", "deeplab.trace.server")}
    for name, about in read.items():
        value = given[about["type"]](about["default"])
        for part in reversed(name.split(".")):
            value = {part: value}
        assert Settings.of(value) != Settings(), name


def test_versions_of_the_editors_files_are_those_of_the_package() -> None:
    assert _package()["version"] == __version__
    assert f'\nversion = "{__version__}"' in (ROOT / "editors/zed/extension.toml").read_text()
    assert f"\n;; Version: {__version__}\n" in (ROOT / "editors/emacs/prototxt-mode.el").read_text()


def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (VSCODE / "package-lock.json").read_text()


@pytest.mark.skipif(not (VSCODE / "node_modules").is_dir(), reason="needs npm ci in editors/vscode")
def test_the_grammar_and_the_types_of_the_extension() -> None:
    for script in ("test", "check"):
        done = subprocess.run(["npm", "run", script], cwd=VSCODE, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

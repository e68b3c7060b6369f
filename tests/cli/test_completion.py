"""The scripts of `deeplab completion` in bash, zsh and fish: what is offered after some words."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from deeplab_caffe.cli import main
from deeplab_caffe.cli.command_table import COMMANDS
from deeplab_caffe.cli.completion import SHELLS, script

#: words in front of the cursor; what is offered, and what is not
CASES = [
    ("deeplab tr", {"train", "train2"}, {"test"}),
    ("deeplab weights c", {"check", "convert"}, {"show"}),
    ("deeplab prototxt l", {"lint"}, {"format"}),
    ("deeplab prototxt voc12/aspp_", {"voc12/aspp_s", "voc12/aspp_l"}, {"voc12/msc"}),
    ("deeplab train voc12/fcn8", {"voc12/fcn8s", "voc12/fcn8s_atonce"}, {"voc12/fcn32s"}),
    ("deeplab train demo --pol", {"--policy"}, {"--preset"}),
    ("deeplab test demo --t", {"--tile", "--test-crop"}, {"--train-set"}),
    ("deeplab train demo --policy ", {"step", "poly", "fixed"}, {"demo"}),
    ("deeplab score --data ca", {"camvid"}, {"voc12"}),
    ("deeplab weights show tra", {"trained.caffemodel"}, {"notes"}),
    ("deeplab submit ", {"voc12", "cityscapes"}, {"demo"}),
    ("deeplab predict photo.jpg --exp pet", {"pets.deeplab"}, {"notes.txt"}),
    ("deeplab serve voc12/fcn8", {"voc12/fcn8s", "voc12/fcn8s_atonce"}, {"voc12/fcn32s"}),
    ("deeplab bundle show pet", {"pets.deeplab"}, {"demo"}),
    ("deeplab export openvino pet", {"pets.deeplab"}, {"notes.txt"}),
    ("deeplab import onnx ne", {"net.onnx"}, {"notes.txt"}),
    ("deeplab train demo --tensorboard ru", {"runs"}, {"notes.txt"}),
    ("deeplab dataset co", {"coco", "coco80", "copy", "convert-labels"}, {"voc12"}),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scripts, and files that may be meant."""
    folder = tmp_path_factory.mktemp("completion")
    for shell in SHELLS:
        (folder / f"deeplab.{shell}").write_text(script(shell))
    (folder / "_deeplab").write_text(script("zsh"))
    for name in ("trained.caffemodel", "pets.deeplab", "net.onnx", "notes.txt"):
        (folder / name).touch()
    (folder / "runs").mkdir()
    return folder


def _needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


def _output(place: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)
    assert not done.stderr
    return done.stdout


def _bash(place: Path, line: str) -> set[str]:
    words = line.split(" ")
    ask = f"COMP_WORDS=({' '.join(w or repr('') for w in words)}); COMP_CWORD={len(words) - 1}; _shtab_deeplab"
    text = f'. ./deeplab.bash; compopt() {{ :; }}; {ask}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    return set(_output(place, "bash", "--norc", "-c", text).split())


def _fish(place: Path, line: str) -> set[str]:
    shown = _output(place, "fish", "--no-config", "-c", f"source deeplab.fish; complete -C '{line}'")
    return {row.partition("\t")[0].rstrip("/") for row in shown.splitlines()}


@pytest.mark.parametrize(("line", "offered", "not_offered"), CASES)
@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_what_is_offered(place, shell, line, offered, not_offered):
    _needs(shell)
    found = (_bash if shell == "bash" else _fish)(place, line)
    assert offered <= found and not not_offered & found


@pytest.mark.parametrize(("line", "offered", "not_offered"), CASES[::3])
def test_what_zsh_offers(place, line, offered, not_offered):
    """On a terminal, as zsh completes nowhere else: two tabs after the words list what fits."""
    _needs("zsh")
    shown = _typed(place, line, offered)
    assert all(word in shown for word in offered)
    assert not any(re.search(rf"(?<![\w/-]){re.escape(word)}(?![\w/-])", shown) for word in not_offered)


def _typed(place: Path, line: str, wanted: set[str]) -> str:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place)
        os.execvp("zsh", ["zsh", "-f", "-i"])
    try:
        os.write(terminal, b"PS1=; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; print REA''DY\n")
        _read(terminal, {"READY"})
        os.write(terminal, f"{line}\t\t".encode())
        return _read(terminal, wanted)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def _read(terminal: int, wanted: set[str]) -> str:
    """What a terminal shows until all wanted words are there, and no more comes; at most a minute."""
    shown, end = "", time.monotonic() + 60
    while time.monotonic() < end:
        ready = select.select([terminal], [], [], 0.3)[0]
        if ready:
            shown += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", os.read(terminal, 65536).decode(errors="replace"))
        elif all(word in shown for word in wanted):
            break
    return shown


def test_every_command_is_in_every_script(place):
    for shell in SHELLS:
        text = (place / f"deeplab.{shell}").read_text()
        for command in COMMANDS.values():
            if command.group != "older names":
                assert re.search(rf"(?<![\w-]){re.escape(command.name.split()[-1])}(?![\w-])", text), (shell, command)


def test_the_command_prints_the_script(place, capsys):
    assert main(["completion", "fish"]) == 0
    assert capsys.readouterr().out == (place / "deeplab.fish").read_text()

"""Commands: the table, what differs, the deploy net; of the text that the editor has, saved or not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.inspection.analysis import analyse
from deeplab_caffe.inspection.analysis_text import as_text
from deeplab_caffe.language_server.committed import committed_text
from deeplab_caffe.language_server.features.commands import (
    deploy_net,
    difference,
    difference_to_committed,
    inspection,
)
from deeplab_caffe.language_server.workspace import Workspace

NET = """name: "net"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 9, 9] } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 2 kernel_size: 3 } }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train", "deploy"):
        (tmp_path / f"{name}.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text('net: "train.prototxt"\nbase_lr: 1\n')
    return tmp_path


def unsaved(folder: Path, text: str) -> tuple[Workspace, str]:
    workspace = Workspace([str(folder)])
    return workspace, workspace.open((folder / "train.prototxt").as_uri(), text, 1).uri


def test_the_table_is_that_of_inspect(folder: Path) -> None:
    workspace, uri = unsaved(folder, NET)
    assert inspection(workspace, uri) == as_text(analyse(str(folder / "train.prototxt")))
    assert inspection(workspace, (folder / "solver.prototxt").as_uri()) == inspection(workspace, uri)


def test_the_table_of_an_unsaved_or_broken_text_has_what_can_be_read(folder: Path) -> None:
    found = inspection(*unsaved(folder, NET.replace("kernel_size: 3", "kernel_size: 5")))
    assert "1×2×5×5" in found
    found = inspection(*unsaved(folder, NET + "layer { name: }\n"))
    assert "1×2×7×7" in found
    found = inspection(*unsaved(folder, NET.replace("kernel_size: 3", "kernel_size: 30")))
    assert "layer 'conv' (Convolution)" in found
    with pytest.raises(InputError, match="expected a value"):
        inspection(*unsaved(folder, "layer { name: }"))


def test_template_variables_have_the_values_of_the_settings(folder: Path) -> None:
    workspace, uri = unsaved(folder, NET.replace("kernel_size: 3", "kernel_size: ${K}"))
    workspace.settings = type(workspace.settings)(variables={"K": "5"})
    assert "1×2×5×5" in inspection(workspace, uri)


def test_the_difference_to_another_file(folder: Path) -> None:
    workspace, uri = unsaved(folder, NET.replace("num_output: 2", "num_output: 4"))
    other = (folder / "deploy.prototxt").as_uri()
    assert "num_output: 2 → 4" in difference(workspace, uri, other)
    assert difference(workspace, other, other).endswith("mean the same\n")
    with pytest.raises(InputError, match="cannot be read"):
        difference(workspace, uri, (folder / "none.prototxt").as_uri())


def test_the_deploy_net_of_a_model(folder: Path) -> None:
    workspace = Workspace()
    wanted = (folder / "deploy.prototxt").as_uri()
    assert deploy_net(workspace, (folder / "train.prototxt").as_uri()) == wanted
    assert deploy_net(workspace, (folder / "solver.prototxt").as_uri()) == wanted
    with pytest.raises(InputError, match="this is the deploy net"):
        deploy_net(workspace, wanted)
    (folder / "deploy.prototxt").unlink()
    with pytest.raises(InputError, match="no deploy net"):
        deploy_net(workspace, (folder / "train.prototxt").as_uri())


# -- the committed version


def git(folder: Path, *words: str) -> None:
    settings = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *settings, *words], check=True, capture_output=True)


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is missing")


@needs_git
def test_the_difference_to_the_committed_version(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "train.prototxt")
    git(folder, "commit", "-q", "-m", "one")
    workspace, uri = unsaved(folder, NET.replace("num_output: 2", "num_output: 4"))
    found = difference_to_committed(workspace, uri)
    assert "train.prototxt in HEAD" in found and "num_output: 2 → 4" in found
    with pytest.raises(InputError, match="no version in HEAD"):
        difference_to_committed(workspace, (folder / "deploy.prototxt").as_uri())


@needs_git
def test_no_program_of_a_repository_is_run(folder: Path) -> None:
    git(folder, "init", "-q")
    git(folder, "add", "train.prototxt")
    git(folder, "commit", "-q", "-m", "one")
    (folder / ".gitattributes").write_text("*.prototxt diff=evil filter=evil\n")
    for name in ("diff.evil.textconv", "filter.evil.smudge", "core.fsmonitor", "core.pager", "diff.external"):
        git(folder, "config", name, f"touch {folder / 'run'};")
    assert committed_text(str(folder / "train.prototxt")) == NET
    assert not (folder / "run").exists()


@needs_git
@pytest.mark.parametrize("revision", ["", "--output=x", "HEAD:a", "no-such-branch"])
def test_other_revisions_are_refused(folder: Path, revision: str) -> None:
    git(folder, "init", "-q")
    with pytest.raises(InputError):
        committed_text(str(folder / "train.prototxt"), revision)


def test_a_file_in_no_repository_has_no_committed_version(folder: Path) -> None:
    with pytest.raises(InputError, match="train.prototxt: (no version in HEAD|the program git)"):
        committed_text(str(folder / "train.prototxt"))

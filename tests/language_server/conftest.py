"""Workspaces of small files for the tests of the language server, and a session of an editor."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from language_server.client import Editor

from deeplab_caffe.language_server.buffers import Buffer
from deeplab_caffe.language_server.workspace import Workspace

@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    return Workspace([str(tmp_path)])


@pytest.fixture
def opened(workspace: Workspace, tmp_path: Path) -> Callable[..., Buffer]:
    """Opens an unsaved text under a name."""
    return lambda text, name="net.prototxt": workspace.open((tmp_path / name).as_uri(), text, 1)


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    """A session that the tests of a module share: each uses files of its own."""
    with Editor(tmp_path_factory.mktemp("project")) as session:
        yield session

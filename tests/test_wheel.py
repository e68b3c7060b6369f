"""The sdist has all of the repository, and the wheel that is built from it works in a folder with nothing in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import NamedTuple

import pytest

import deeplab_caffe

ROOT = Path(__file__).parent.parent
#: what is not of the repository, and must not go along
_OTHERS = ("data/a.jpg", "exper/demo/a.h5", "models/a.caffemodel", "prototxt/voc12/msc/train.prototxt", "dist/x.whl")
_MADE = re.compile(r"PKG-INFO|setup\.cfg|python/deeplab_caffe\.egg-info/.*")
_BUILD_SDIST = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"


class Built(NamedTuple):
    """The names in the sdist, and the folder in which the wheel is unpacked."""

    sdist: set[str]
    wheel: Path


def _repository() -> list[str]:
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("needs the repository: git says which files are of it")
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def _python(words: list[str], folder: Path, **environment: str) -> str:
    """What a Python prints that knows nothing of this clone."""
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "FORCE")}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env={**clean, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist of a copy of the repository, and the wheel of that sdist; nothing is downloaded."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("built")
    for name in _repository():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    for name in _OTHERS:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).touch()
    _python(["-c", _BUILD_SDIST, str(out)], copy)
    sdist = next(out.glob("*.tar.gz"))
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-w", str(out)]
    _python(["-m", "pip", "wheel", "--quiet", *flags, str(sdist)], out)
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    with zipfile.ZipFile(next(out.glob("*.whl"))) as archive:
        archive.extractall(out / "wheel")
    return Built(names, out / "wheel")


def _metadata(built: Built) -> Message:
    return Parser().parsestr(next(built.wheel.glob("*.dist-info/METADATA")).read_text(encoding="utf-8"))


def test_the_sdist_is_the_repository(built: Built) -> None:
    assert {name for name in built.sdist if not _MADE.fullmatch(name)} == {*_repository()}


def test_the_wheel_has_the_packages_and_the_files_that_commands_read(built: Built) -> None:
    files = {path.relative_to(built.wheel).as_posix() for path in built.wheel.rglob("*") if path.is_file()}
    packages = {name.removeprefix("python/") for name in _repository() if name.startswith("python/")}
    others = [ROOT / name for name in ("models/weights.toml", "docs/results.toml", "docs/lint-rules.md")]
    packaged = [*ROOT.glob("datasets/*.toml"), *others]
    copies = {f"deeplab_caffe/packaged/{path.relative_to(ROOT).as_posix()}": path for path in packaged}
    assert {name for name in files if ".dist-info/" not in name} == packages | {*copies}
    assert "deeplab_caffe/py.typed" in files
    for name, path in copies.items():
        assert (built.wheel / name).read_bytes() == path.read_bytes()


def test_metadata(built: Built) -> None:
    stated = _metadata(built)
    assert stated["Version"] == deeplab_caffe.__version__
    assert stated["License-Expression"] == "BSD-2-Clause" and stated["Author"] == "The deeplab_caffe authors"
    assert "Typing :: Typed" in stated.get_all("Classifier", []) and len(stated.get_all("Project-URL", [])) == 3


def test_the_readme_in_it_has_no_link_into_the_repository(built: Built) -> None:
    text = str(_metadata(built).get_payload())
    assert _metadata(built)["Description-Content-Type"] == "text/markdown" and text.startswith("# deeplab_caffe")
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert [link for link in links if not link.startswith("https://")] == []
    assert "datasets/camvid.toml" in text


def test_links_of_the_readme_where_the_repository_has_an_address() -> None:
    code = "import setup; print(setup.readme('![a](b.png) [c](d.md) [e](https://f)', 'https://r'))"
    shown = _python(["-c", code], ROOT)
    assert shown.startswith("![a](https://r/raw/HEAD/b.png) [c](https://r/blob/HEAD/d.md) [e](https://f)")


#: commands, exit codes, and a part of what each shows
_COMMANDS = """
import contextlib, io, json, sys
from deeplab_caffe import cli
shown = []
for words in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = cli.main(words.split())
    shown.append([code, out.getvalue()])
import deeplab_caffe
print(json.dumps([deeplab_caffe.__file__, shown]))
"""
_SHOWN = {
    "prototxt voc12/largefov": (0, "written: train.prototxt"),
    "weights get": (0, "vgg16: VGG-16, trained on ImageNet (Caffe)"),
    "list": (0, "deeplab all voc12/largefov"),
    "dataset voc12 --no-download": (2, "data/VOCtrainval_11-May-2012.tar"),
    "dataset check camvid": (2, "Put CamVid"),
    "all voc12/largefov": (2, "\n  deeplab dataset voc12\n"),
    "all voc_largefow": (2, "did you mean 'voc_largefov'"),
    "train voc12/largefov --data data/synthetic/dataset.toml": (2, "`deeplab data demo`"),
    "prototxt lint prototxt/voc12/largefov/train.prototxt": (0, ""),
    "prototxt view prototxt/voc12/largefov/deploy.prototxt -o net.html": (0, "net.html"),
    "ledger": (0, "docs/ledger.md"),
}


def test_commands_in_an_empty_folder(built: Built, tmp_path: Path) -> None:
    words = ["-c", _COMMANDS, json.dumps([*_SHOWN])]
    file, results = json.loads(_python(words, tmp_path, PYTHONPATH=str(built.wheel)).splitlines()[-1])
    assert Path(file).is_relative_to(built.wheel)
    for (command, (code, part)), (returned, shown) in zip(_SHOWN.items(), results, strict=True):
        assert (returned, part in shown) == (code, True), (command, shown)
        assert not re.search(r"\bmake \w+(_\w+|\.\w+)|Makefile|Traceback", shown), (command, shown)
    for net in (ROOT / "prototxt/voc12/largefov").glob("*.prototxt"):
        assert (tmp_path / net.relative_to(ROOT)).read_bytes() == net.read_bytes()
    assert not (tmp_path / "datasets").exists()

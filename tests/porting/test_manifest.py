"""Known weight files: what the manifest says, and how one is fetched from places that fail."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from deeplab_caffe.cli import main
from deeplab_caffe.errors import InputError
from deeplab_caffe.nets import VARIANTS
from deeplab_caffe.porting.manifest import MIRROR, KnownWeights, fetch, read_manifest
from servers import Server

MANIFEST = Path(__file__).parent.parent.parent / "models" / "weights.toml"
CONTENT = bytes(range(256)) * 2000
SUM = hashlib.sha256(CONTENT).hexdigest()


def test_the_manifest_is_sound() -> None:
    entries = read_manifest(MANIFEST)
    assert {"vgg16", "vgg16_20M", "resnet101_msc_aspp", "resnet101_torchvision"} <= set(entries)
    for entry in entries.values():
        assert entry.licence and entry.trained_on and entry.images and (entry.net or entry.port)
        assert bool(entry.inside) == entry.archive == bool(entry.size)
        if entry.net:
            assert entry.net.split("/")[1] in VARIANTS
    assert len({entry.file for entry in entries.values()}) == len(entries)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\ntitle = 'x'\nfile = 'y'", r"\[a\]: urls is missing"),
        ("[a]\nurl = 'x'", r"there is no key 'url'; did you mean 'urls'\?"),
        ("[a]\ntitle = 3", "title is 3; expected a str"),
        ("[a]\ntitle = 'x'\nfile = '../y'\nurls = ['z']", "file '../y' is not a plain file name"),
        ("[a", "manifest.toml: "),
    ],
)
def test_a_wrong_manifest_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "manifest.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path / "manifest.toml")


def entry(*urls: str, **given: object) -> KnownWeights:
    return KnownWeights("x", "an example", "x.caffemodel", urls, **given)  # type: ignore[arg-type]


def test_the_next_place_is_tried(tmp_path: Path, server: Server) -> None:
    server.files["/x.caffemodel"] = CONTENT
    found = fetch(entry(f"{server.address}/gone", f"{server.address}/x.caffemodel", sha256=SUM[:8]), tmp_path)
    assert found.read_bytes() == CONTENT


def test_a_cut_is_gone_on_from(tmp_path: Path, server: Server) -> None:
    server.files["/x.caffemodel"] = CONTENT
    server.cuts = [100_000, 50_000]
    assert fetch(entry(f"{server.address}/x.caffemodel", sha256=SUM), tmp_path).read_bytes() == CONTENT
    assert any(asked and asked.startswith("bytes=") for asked in server.asked)


@pytest.mark.parametrize("digits", [SUM[::-1], SUM[:8][::-1]])
def test_a_wrong_sum_leaves_nothing(tmp_path: Path, server: Server, digits: str) -> None:
    server.files["/x.caffemodel"] = CONTENT
    with pytest.raises(InputError, match="sha256"):
        fetch(entry(f"{server.address}/x.caffemodel", sha256=digits), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_dead_address_says_what_else_to_do(tmp_path: Path, server: Server) -> None:
    with pytest.raises(InputError, match=r"(?s)404.*\.\nPut a copy at .*x\.caffemodel.*--mirror.*Or: ask your "):
        fetch(entry(f"{server.address}/gone", instead="ask your colleague"), tmp_path)


def test_mirrors_come_first(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "name").write_bytes(CONTENT)
    dead = entry(f"{server.address}/elsewhere/name")
    assert fetch(dead, tmp_path / "a", str(folder)).read_bytes() == CONTENT
    monkeypatch.setenv(MIRROR, f"{server.address}/mirrored")
    server.files["/mirrored/name"] = CONTENT
    assert fetch(dead, tmp_path / "b").read_bytes() == CONTENT
    assert "/elsewhere/name" not in server.files


def archive(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return packed.getvalue()


def test_one_file_of_an_archive(tmp_path: Path, server: Server) -> None:
    server.files["/x.zip"] = archive(**{"train.caffemodel": CONTENT, "train.prototxt": b"net"})
    given = entry(f"{server.address}/x.zip", archive=True, inside="train.caffemodel", size=10)
    assert fetch(given, tmp_path).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["x.caffemodel"]


@pytest.mark.parametrize(
    ("members", "size", "message"),
    [
        ({"../evil": b"x", "train.caffemodel": CONTENT}, 10, "leads out of the folder"),
        ({"train.caffemodel": b"\0" * 3_000_000}, 1, "unpacks to more than the limit of 1 MB"),
        ({"other": CONTENT}, 10, "does not contain 'train.caffemodel'"),
    ],
)
def test_hostile_archives(tmp_path: Path, server: Server, members: dict[str, bytes], size: int, message: str) -> None:
    server.files["/x.zip"] = archive(**members)
    given = entry(f"{server.address}/x.zip", archive=True, inside="train.caffemodel", size=size)
    with pytest.raises(InputError, match=message):
        fetch(given, tmp_path / "here")
    assert not (tmp_path / "here" / "x.caffemodel").exists()
    assert not (tmp_path / "evil").exists()


def test_the_command(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.files["/m/VGG_ILSVRC_16_layers.caffemodel"] = CONTENT
    words = ["weights", "get", "vgg16", "--folder", str(tmp_path), "--manifest", str(MANIFEST)]
    assert main([*words, "--mirror", f"{server.address}/m"]) == 0
    assert "to port to: voc12/largefov" in capsys.readouterr().out
    assert main(["weights", "get", "vgg61", "--manifest", str(MANIFEST)]) == 2
    assert "did you mean 'vgg16'?" in capsys.readouterr().err

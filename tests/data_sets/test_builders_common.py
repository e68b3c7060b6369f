"""What all builders share: the table, pieces, label files and lists."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from deeplab_caffe.cli import main
from deeplab_caffe.cli.command_table import COMMANDS, Command
from deeplab_caffe.data import read_label
from deeplab_caffe.data.builders import BUILDERS, Builder, Built, Option, Request, build_dataset, table
from deeplab_caffe.data.builders.pieces import Need, Piece, absent, obtain, size_of
from deeplab_caffe.data.builders.written import read_names, write_labels, write_lists
from deeplab_caffe.errors import InputError
from deeplab_caffe.locks import locked_folder

ROOT = Path(__file__).parent.parent.parent


# -- the table and the command


def test_every_builder_has_a_description_a_target_and_a_heading():
    makefile = (ROOT / "Makefile").read_text()
    page = (ROOT / "docs" / "datasets.md").read_text()
    targets = re.search(r"^DATA_SETS := (.*)$", makefile, re.MULTILINE)[1].split()
    for name, builder in BUILDERS.items():
        assert (ROOT / "datasets" / f"{name}.toml").is_file() and name == builder.name
        assert name in targets or name == "voc12"
        assert f"deeplab dataset {name}" in page
        assert builder.fetches.endswith(".")


def test_names_are_listed_and_near_ones_suggested(capsys, monkeypatch):
    assert main(["dataset"]) == 2
    assert all(name in capsys.readouterr().out for name in [*BUILDERS][:1])
    monkeypatch.setitem(COMMANDS, "dataset check", Command("dataset check", "voc_data", "read everything once", "data"))
    with pytest.raises(SystemExit) as stop:
        main(["dataset", "--help"])
    out = capsys.readouterr().out
    assert stop.value.code == 0 and re.search("deeplab dataset check +read everything once", out)
    assert all(name in out and builder.title in out for name, builder in BUILDERS.items())
    assert main(["dataset", "vco12"]) == 2
    assert "unknown data set 'vco12'; did you mean 'voc12'?" in capsys.readouterr().err
    assert main(["dataset", "chekc"]) == 2
    assert "did you mean 'check'?" in capsys.readouterr().err
    assert main(["dataset", "qqqqqq"]) == 2
    assert "unknown data set 'qqqqqq'; the data sets are voc12, " in capsys.readouterr().err
    assert main(["dataset", "--folder", "x", "voc12"]) == 2
    assert "expected the data set's name first" in capsys.readouterr().err


def test_options_of_one_builder(tmp_path, capsys, monkeypatch):
    seen = []

    def make(request: Request) -> Built:
        seen.append(request)
        return Built(request.folder, {"train": 3, "val": 5}, 1)

    options = (
        Option("--half-size", "half"),
        Option("--year", "which", int, 2014, ()),
        Option("--k", "k", str, "a", ("a", "b")),
    )
    row = Builder("pets", "Pets", "Downloads nothing.", make, {"train": 4, "val": 5}, options)
    monkeypatch.setitem(BUILDERS, "pets", row)
    assert main(["dataset", "pets", "--folder", str(tmp_path), "--half-size", "--year", "2017"]) == 0
    out, err = capsys.readouterr()
    assert seen[0].options == {"half_size": True, "year": 2017, "k": "a"} and seen[0].fetch
    assert f"{tmp_path}: images in the lists: train 3, val 5" in out
    assert err == "warning: train has 3 images, but the published list has 4\n"
    build_dataset("pets", tmp_path)
    assert seen[1].options == {"half_size": False, "year": 2014, "k": "a"}
    with pytest.raises(InputError, match="pets has no option 'half_sise'; did you mean 'half_size'"):
        build_dataset("pets", tmp_path, options={"half_sise": 1})
    with pytest.raises(InputError, match="unknown data set 'pet'; did you mean 'pets'"):
        build_dataset("pet", tmp_path)


def test_one_builder_at_a_time(tmp_path):
    with locked_folder(tmp_path, "busy"), pytest.raises(InputError, match=f"{tmp_path} is in use"):
        build_dataset("voc12", tmp_path, fetch=False)


def test_the_table_is_that_of_the_package():
    assert table.find_builder("voc12") is BUILDERS["voc12"]


# -- pieces


PLAIN = Piece("names.txt", "http://127.0.0.1:9/names.txt", size=4321, into="pets")
LARGE = Piece("pets.zip", "http://127.0.0.1:9/pets.zip", size=2_500_000_000, limit=10**6)
ASKED = Piece("secret.zip", size=11_000_000, limit=10**6, into="pets", page="https://pets.example/login")


def test_sizes():
    assert [size_of(piece) for piece in (PLAIN, LARGE, ASKED)] == ["4 kB", "2.5 GB", "11 MB"]


def needs(folder):
    places = ((PLAIN, "pets/names.txt"), (LARGE, "a.png"), (ASKED, "pets/b.png"))
    return [Need(piece, lambda place=folder / place: absent([place])) for piece, place in places]


def test_everything_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError) as error:
        obtain(Request(tmp_path, fetch=False), *needs(tmp_path))
    assert str(error.value).splitlines() == [
        "3 pieces are missing:",
        f"  {tmp_path}/pets/names.txt does not exist. Download {PLAIN.url} (4 kB), put it there and run the same "
        "command again",
        f"  {tmp_path}/a.png and {tmp_path}/pets.zip do not exist. Download {LARGE.url} (2.5 GB), put it there and run "
        "the same command again",
        f"  {tmp_path}/pets/b.png and {tmp_path}/pets/secret.zip do not exist. Get secret.zip (11 MB) from "
        "https://pets.example/login, put it there and run the same command again",
    ]


def test_what_needs_a_registration_is_never_fetched(tmp_path, server):
    """The others are fetched all the same."""
    server.files = {"/pets/names.txt": b"cat\n"}
    with pytest.raises(InputError, match=r"secret\.zip do not exist\. Get secret\.zip \(11 MB\) from https://pets"):
        obtain(Request(tmp_path, server.address), *(need for need in needs(tmp_path) if need.piece is not LARGE))
    assert (tmp_path / "pets/names.txt").read_text() == "cat\n" and len(server.asked) == 1


def test_what_cannot_be_fetched_is_said_with_its_size(tmp_path, server):
    with pytest.raises(InputError) as error:
        obtain(Request(tmp_path, server.address), *needs(tmp_path))
    text = str(error.value)
    assert text.startswith("3 pieces are missing:") and text.count("the server answered 404") == 2
    assert "(2.5 GB)" in text and f"put it at {tmp_path}/pets/names.txt" in text


def test_a_plain_file_is_copied_from_a_folder(tmp_path):
    source = tmp_path / "usb"
    source.mkdir()
    need = needs(tmp_path / "data")[0]
    with pytest.raises(InputError, match=r"usb/names\.txt: does not exist; download http://127.*names\.txt and put it"):
        obtain(Request(tmp_path / "data", str(source)), need)
    (source / "names.txt").write_text("dog\n")
    assert obtain(Request(tmp_path / "data", str(source)), need) == 1
    assert (tmp_path / "data/pets/names.txt").read_text() == "dog\n"
    assert obtain(Request(tmp_path / "data", str(source)), need) == 0


# -- what is written


def test_labels_are_written_once_and_gone_on_with(tmp_path):
    targets = {k: tmp_path / f"{k}.png" for k in range(6)}
    asked = []

    def make(k, stop=None):
        asked.append(k)
        if k == stop:
            raise InputError(f"image {k} is damaged")
        return None if k == 3 else np.full((2, 3), k, np.uint8)

    with pytest.raises(InputError, match="image 4 is damaged"):
        write_labels(targets, lambda k: make(k, 4), "labels", progress=False)
    before = {path.stem for path in tmp_path.iterdir()}
    asked.clear()
    assert write_labels(targets, make, "labels", progress=False) == 5 - len(before)
    assert not before & set(map(str, asked)), "existing files are kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{k}.png" for k in (0, 1, 2, 4, 5)]
    assert (read_label(targets[5]) == 5).all()
    assert write_labels(targets, make, "labels", progress=False) == 0


@pytest.mark.parametrize("name", ["../b", "/b", "a\\b", ".b"])
def test_names_that_lead_elsewhere_are_refused(tmp_path, name):
    """They would be written to."""
    (tmp_path / "train.txt").write_text(f"a 1\n\n{name} -1\n")
    with pytest.raises(InputError, match=r"train\.txt:3: '.*b': expected the name of an image without folder"):
        read_names(tmp_path / "train.txt")
    (tmp_path / "train.txt").write_text("2008_000002  1\n2008_000003 -1\n")
    assert read_names(tmp_path / "train.txt") == ["2008_000002", "2008_000003"]


def test_lists_are_written_only_if_they_change(tmp_path):
    words = [("/images/a b.jpg", "/labels/a b.png"), ("/images/c.jpg", None)]
    assert write_lists(tmp_path, "train", words) == 2
    assert (tmp_path / "list/train.txt").read_text() == '"/images/a b.jpg" "/labels/a b.png"\n/images/c.jpg\n'
    assert (tmp_path / "list/train_id.txt").read_text() == "a b\nc\n"
    when = (tmp_path / "list/train.txt").stat().st_mtime_ns
    assert write_lists(tmp_path, "train", words) == 0 and (tmp_path / "list/train.txt").stat().st_mtime_ns == when
    assert write_lists(tmp_path, "train", words[:1]) == 2
    assert write_lists(tmp_path, "val", words, with_ids=False) == 1 and not (tmp_path / "list/val_id.txt").exists()

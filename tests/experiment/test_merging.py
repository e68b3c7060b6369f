"""Edited files of a model merged with newly generated ones: all or none, and what an edit started from is kept."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from deeplab_caffe import cli, files
from deeplab_caffe.errors import InputError
from deeplab_caffe.experiment.merging import MergedFiles, merge_files
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.formats.signature import sign
from deeplab_caffe.nets import base_of, write_files
from small_nets import conv, image, layer, net

TRAIN = net(image("33x33", 3), conv("fc6", "data", "kernel_size: 3 pad: 12 dilation: 12", 8), conv("fc8", "fc6"))
FILES = {"train.prototxt": TRAIN, "test.prototxt": TRAIN, "solver.prototxt": "base_lr: 0.1\ndisplay: 20\n"}


def _signed(**changes: tuple[str, str]) -> dict[str, str]:
    """The files as a generator writes them, some with a change."""
    texts = {name: text.replace(*changes.get(name.partition(".")[0], ("", ""))) for name, text in FILES.items()}
    return {name: sign("A file.", "deeplab prototxt a/b", text) for name, text in texts.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Generated files, of which train and solver are edited."""
    place = tmp_path / "net"
    write_files(place, _signed())
    _edit(place / "train.prototxt", "pad: 12", "pad: 6")
    _edit(place / "solver.prototxt", "display: 20", "display: 5  # often")
    return place


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _all(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


WIDER = ("num_output: 8", "num_output: 16")
NEW = {"train": WIDER, "test": WIDER, "solver": ("0.1", "0.2")}


def test_all_files_are_merged_and_a_second_merge_changes_no_byte(folder):
    before = (folder / "train.prototxt").read_text()
    done = merge_files(folder, _signed(**NEW))
    assert (done.written, list(done.merged), done.left) == (
        ["test.prototxt"],
        ["train.prototxt", "solver.prototxt"],
        [],
    )
    assert "num_output: 16 kernel_size: 3 pad: 6" in (folder / "train.prototxt").read_text()
    assert (folder / "solver.prototxt").read_text().endswith("base_lr: 0.2\ndisplay: 5  # often\n")
    assert (folder / "train.prototxt.orig").read_text() == before
    said = str(done).splitlines()
    assert f"{folder}: merged with your edits (the files as they were: *.orig): train.prototxt, solver.prototxt" in said
    assert "  taken over: fc6 convolution_param.num_output: 8 → 16" in said and "  yours stays: display: 20 → 5" in said
    after = _all(folder)
    again = merge_files(folder, _signed(**NEW))
    assert _all(folder) == after and not again.merged and len(again.unchanged) == 3
    assert write_files(folder, _signed(**NEW)).edited == ("train.prototxt", "solver.prototxt")


def test_a_conflict_is_listed_until_its_mark_is_gone(folder):
    done = merge_files(folder, _signed(train=("pad: 12", "pad: 24")))
    [line] = done.left
    place, says = (
        f"{folder}/train.prototxt:7:1: ",
        "fc6 convolution_param.pad: yours is 6, the generator's is now 24 (was 12)",
    )
    assert line == f"{place}CONFLICT {says}"
    assert merge_files(folder, _signed(train=("pad: 12", "pad: 24"))).left == [line]
    _edit(folder / "train.prototxt", f"# CONFLICT {says}\n", "")
    assert merge_files(folder, _signed(train=("pad: 12", "pad: 24"))).left == []


def test_what_no_longer_fits_is_said(folder):
    """Neither the edited nor the generated net has these mistakes."""
    done = merge_files(folder, _signed(train=("dilation: 12", "dilation: 24")))
    assert not any(result.conflicts for result in done.merged.values())
    assert any("kernel 3 with dilation 24 keeps the size with pad 24, not 6; set pad: 24" in line for line in done.left)
    write_files(folder, _signed(), force=True)
    own = layer("ReLU", "mine", "fc6", tops="mine") + "\n"
    _edit(folder / "train.prototxt", 'layer { name: "fc8"', f'{own}layer {{ name: "fc8"')
    wide = layer("InnerProduct", "wide", "data", "inner_product_param { num_output: 8 }")
    texts = _signed(train=(TRAIN, net(image("33x33", 3), wide, conv("fc8", "wide"))))
    done = merge_files(folder, texts)
    assert any("mine (ReLU): " in line and "'fc6'" in line for line in done.left), done.left


def test_nothing_is_written_if_one_file_cannot_be_merged(folder):
    _edit(folder / "solver.prototxt", "base_lr: 0.1", "base_lr: {")
    before = _all(folder)
    with pytest.raises(InputError, match=r"solver.prototxt:6:\d+: "):
        merge_files(folder, _signed(**NEW))
    assert _all(folder) == before


def test_files_get_their_content_back_if_one_cannot_be_renamed(folder, monkeypatch):
    before = _all(folder)
    real, calls = os.replace, []

    def replace(source, target):
        calls.append(target)
        if len(calls) == 3:
            raise OSError(28, "No space left on device", str(target))
        real(source, target)

    monkeypatch.setattr(files.os, "replace", replace)
    with pytest.raises(InputError, match="cannot write: No space left"):
        merge_files(folder, _signed(**NEW))
    after = _all(folder)
    assert {name: after[name] for name in before} == before


def test_a_merge_that_was_killed_goes_on(folder):
    merge_files(folder, _signed(**NEW))
    wanted = _all(folder)
    shutil.copy(folder / "train.prototxt.orig", folder / "train.prototxt")  # as if it were not yet renamed
    for name, text in _signed().items():
        (folder / ".generated" / name).write_text(text)
    merge_files(folder, _signed(**NEW))
    assert _all(folder) == wanted


def test_a_base_that_is_not_known_is_said_and_can_be_named(folder, tmp_path):
    shutil.move(folder / ".generated", tmp_path / "before")
    with pytest.raises(InputError, match=r"train.prototxt: .* not known what was edited: .*--merge-base"):
        merge_files(folder, _signed(**NEW))
    assert list(merge_files(folder, _signed(**NEW), str(tmp_path / "before")).merged) == [
        "train.prototxt",
        "solver.prototxt",
    ]


def test_a_stage_2_that_is_no_longer_generated(folder):
    stage2 = {name.replace(".", "2."): text for name, text in _signed().items() if name != "test.prototxt"}
    write_files(folder, _signed() | stage2)
    _edit(folder / "solver2.prototxt", "0.1", "0.3")
    done: MergedFiles = merge_files(folder, _signed())
    assert (done.removed, done.kept) == (["train2.prototxt"], ["solver2.prototxt"])


def test_the_base_is_generated_again_where_it_was_not_kept(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["prototxt", "voc_largefov"]) == 0
    path = Path("prototxt/voc12/largefov/solver.prototxt")
    generated = path.read_text()
    shutil.rmtree(path.parent / ".generated")
    _edit(path, "display: 20", "display: 5")
    assert base_of(Document.read(path)).text == generated
    assert cli.main(["prototxt", "voc_largefov"]) == 0
    assert (path.parent / ".generated" / path.name).read_text() == generated  # known from now on
    path.write_text(re.sub("# sha256: ....", "# sha256: 0000", path.read_text()))
    with pytest.raises(InputError, match="its command makes another text now, and the earlier one was not kept"):
        base_of(Document.read(path))


def test_the_command(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["prototxt", "voc_largefov", "--crop", "161"]) == 0
    path = Path("exper/voc12/largefov/prototxt/train.prototxt")
    _edit(path, "crop_size: 161", "crop_size: 129")
    _edit(path, "    mirror: true\n", "    mirror: false\n")
    capsys.readouterr()
    assert cli.main(["prototxt", "voc_largefov", "--crop", "161", "--batch-size", "5"]) == 0
    assert "NOT what was asked for now (deeplab prototxt … --merge merges both, FORCE=1" in capsys.readouterr().out
    assert cli.main(["prototxt", "voc_largefov", "--crop", "161", "--batch-size", "5", "--merge"]) == 0
    assert "batch_size: 5" in path.read_text() and "crop_size: 129" in path.read_text()
    assert cli.main(["prototxt", "voc_largefov", "--crop", "193", "--merge"]) == 1
    said = capsys.readouterr().out
    says = "CONFLICT data transform_param.crop_size: yours is 129, the generator's is now 193 (was 161)"
    assert f"{says}\nto be decided: choose values" in said
    assert cli.main(["prototxt", "voc_largefov", "--crop", "193", "--merge"]) == 1  # the mark still stands
    assert cli.main(["prototxt", "voc_largefov", "--merge-base", "."]) == 2
    assert cli.main(["prototxt", "voc_largefov", "--merge", "--merge-base", "nowhere"]) == 2
    assert "--merge-base nowhere: no such folder" in capsys.readouterr().err
    monkeypatch.setenv("FORCE", "1")
    assert cli.main(["prototxt", "voc_largefov", "--crop", "193", "--merge"]) == 2
    assert "--merge keeps your edits, FORCE=1 overwrites them; choose one" in capsys.readouterr().err
    assert cli.main(["prototxt", "voc_largefov", "--crop", "193", "--force"]) == 0
    assert "crop_size: 129" not in path.read_text() and "crop_size: 129" in Path(f"{path}.orig").read_text()

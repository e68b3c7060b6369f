"""Options of a published model: its nets then lie in the experiment's folder, and later stages go on with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from deeplab_caffe.cli import main
from deeplab_caffe.experiment import demo, published
from deeplab_caffe.experiment.stages.train import _inputs
from deeplab_caffe.formats.prototxt import Document
from deeplab_caffe.nets import GeneratorOptions, stated_command
from experiment.fake_voc import ROOT, make_fake_voc

NAME, OWN, USUAL = "voc12/largefov", Path("exper/voc12/largefov/prototxt"), Path("prototxt/voc12/largefov")


@pytest.fixture
def voc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fake VOC beside the committed nets of LargeFOV."""
    monkeypatch.chdir(tmp_path)
    make_fake_voc(tmp_path)
    shutil.copytree(ROOT / USUAL, USUAL)
    return tmp_path


def _stated(folder: Path = OWN) -> dict[str, object]:
    return dict(stated_command(Document.read(folder / "train.prototxt"))[1].stated())


def _committed() -> dict[str, str]:
    return {path.name: path.read_text() for path in USUAL.iterdir()}


def test_a_variant_does_not_touch_the_published_nets(voc, capsys):
    before = _committed()
    assert main(["prototxt", NAME, "--width", "0.125", "--iterations", "20"]) == 0
    assert f"{OWN}: written: " in capsys.readouterr().out
    assert _committed() == before and _stated() == {"width": 0.125, "iterations": 20, "folder": str(OWN)}
    assert json.loads((OWN.parent / "experiment.json").read_text())["nets"] == str(OWN)


def test_later_stages_go_on_with_the_variant_until_it_ends(voc, capsys):
    assert main(["prototxt", NAME, "--width", "0.125"]) == 0
    kept = published(NAME)
    assert kept.prototxt == OWN and kept.options.width == 0.125
    assert "exper/voc12/largefov, settings as before: width 0.125" in capsys.readouterr().out
    assert published(NAME, GeneratorOptions(iterations=5), stage="train").options.width == 0.125
    fresh = published(NAME, stage="all")
    assert fresh.prototxt == USUAL and fresh.options.width is None
    assert "settings of earlier calls that are not used: --width 0.125" in capsys.readouterr().out
    assert main(["prototxt", NAME]) == 0
    assert published(NAME).prototxt == USUAL
    assert published(NAME, forget=[]).options == GeneratorOptions()


def test_train_writes_the_nets_that_its_options_ask_for_first(voc, capsys):
    flags = ["--width", "0.03", "--crop", "33", "--batch-size", "2", "--iterations", "2", "--from-scratch"]
    assert main(["train", NAME, *flags]) == 0
    said = capsys.readouterr()
    assert f"== prototxt\n{OWN}: written: train.prototxt" in said.out and "== train" in said.out
    assert _stated()["width"] == 0.03 and (OWN.parent / "model/train_iter_2.caffemodel").is_file()


@pytest.mark.parametrize(("flag", "usual"), [("width", 1), ("dropout", 0.5), ("scale", 1)])
def test_a_usual_value_replaces_a_saved_one(voc, flag, usual):
    assert main(["prototxt", NAME, f"--{flag}", "0.25"]) == 0
    assert _stated()[flag] == 0.25
    again = published(NAME, GeneratorOptions(**{flag: usual}), stage="train")
    assert getattr(again.options, flag) == usual and again.remembered["options"] == {flag: usual}


def test_the_demo_takes_a_usual_value(voc):
    chosen = demo(options=GeneratorOptions(width=1, dropout=0.5, scale=1)).options
    assert (chosen.width, chosen.dropout, chosen.scale) == (1, 0.5, 1)


def test_a_value_that_does_not_fit_is_refused_before_it_is_saved(voc, capsys):
    assert main(["train", NAME, "--crop", "300"]) == 2
    assert "option crop: got 300; wanted 8k + 1" in capsys.readouterr().err
    assert not Path("exper").exists()


def test_an_option_of_tests_leaves_the_training_what_it_was(voc):
    assert main(["prototxt", NAME]) == 0
    before = _inputs(published(NAME), "", with_files=False)
    assert main(["prototxt", NAME, "--test-crop", "65"]) == 0
    variant = published(NAME)
    assert variant.prototxt == OWN and _inputs(variant, "", with_files=False) == before


def test_edits_of_the_published_nets_are_carried_over(voc):
    net = USUAL / "train.prototxt"
    net.write_text(net.read_text().replace("dilation: 12", "dilation: 6").replace("pad: 12", "pad: 6"))
    assert main(["prototxt", NAME, "--width", "0.125"]) == 0
    assert "dilation: 6" in (OWN / "train.prototxt").read_text()


def test_an_option_that_an_edit_keeps_out_is_refused(voc, capsys):
    assert main(["prototxt", NAME, "--width", "0.125"]) == 0
    net = OWN / "train.prototxt"
    net.write_text(net.read_text().replace("mirror: true", "mirror: false"))
    assert main(["train", NAME, "--crop", "33"]) == 2
    assert f"--crop: not possible, because these were edited by hand: {net}. Make" in capsys.readouterr().err
    assert _stated()["width"] == 0.125


def test_another_folder_has_its_own_nets(voc):
    before = _committed()
    assert main(["prototxt", NAME, "--exp", "runs/a"]) == 0
    assert _committed() == before
    assert 'snapshot_prefix: "runs/a/model/train"' in Path("runs/a/prototxt/solver.prototxt").read_text()


def test_voc_without_sbd_says_how_to_go_on(voc, capsys):
    lists = voc / "data/VOCdevkit/VOC2012/list"
    (lists / "train_aug.txt").rename(lists / "train.txt")
    (lists / "trainval_aug.txt").rename(lists / "trainval.txt")
    assert main(["data", NAME]) == 2
    hint = "Or go on without them, on train with 6 images, trainval with 9 images:\n"
    command = f"  deeplab all {NAME} --train-set train --train2-set trainval"
    assert hint + command in capsys.readouterr().err
    assert main(["data", NAME, "--train-set", "train", "--train2-set", "trainval"]) == 0
    (lists / "trainval.txt").unlink()
    assert main(["prototxt", NAME]) == 0  # ends what was stated
    assert main(["data", NAME]) == 2
    assert f"deeplab all {NAME} --train-set train --iterations2 0" in capsys.readouterr().err
    Path("Makefile").touch()
    Path("python/deeplab_caffe").mkdir(parents=True)
    assert main(["data", NAME]) == 2
    assert '  make voc_largefov ARGS="--train-set train --iterations2 0"' in capsys.readouterr().err

"""`deeplab ledger`: the page, and the scores of an experiment added to it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from deeplab_caffe.cli import main
from deeplab_caffe.nets import read_results

REPOSITORY = Path(__file__).parents[2]


def evaluated(name, *flags, split="val", after=True, done=None, folder=None):
    """The files of an experiment of which a run was evaluated, on the nets that the flags make."""
    assert main(["prototxt", name, *flags, *(["--exp", folder] if folder else [])]) == 0
    folder = Path(folder or f"exper/{name}")
    (folder / "result" / split).mkdir(parents=True)
    (folder / "result" / split / "done.json").write_text(json.dumps(done or {"size": [513, 513], "weights": "w"}))
    scores = {"mean_iou": 0.65714, "pixel_accuracy": 0.9}
    record = {"dataset": name.partition("/")[0], "list": split, "before": scores, "after": None}
    record["after"] = {"mean_iou": 0.69855} if after else None
    (folder / "evaluation.json").write_text(json.dumps(record))


def in_ledger(value):
    return [line for line in Path("docs/ledger.md").read_text(encoding="utf-8").splitlines() if value in line]


def test_the_page_as_committed(place, capsys):
    shutil.copytree(REPOSITORY / "docs", place / "docs")
    assert main(["ledger", "-o", "out/page.md"]) == 0
    assert capsys.readouterr().out == "wrote out/page.md\n"
    assert Path("out/page.md").read_bytes() == Path("docs/ledger.md").read_bytes()


def test_an_experiment_is_added(place, capsys):
    evaluated("voc12/largefov")
    capsys.readouterr()
    assert main(["ledger", "--add", "voc_largefov", "--hardware", "one GPU"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "docs/results.toml: voc12/largefov on val, before the CRF: 65.71",
        "docs/results.toml: voc12/largefov on val, after the CRF: 69.86",
        "wrote docs/ledger.md",
    ]
    before, after = read_results()
    assert (before.name, before.split, before.crf, before.value) == ("voc12/largefov", "val", False, "65.71")
    assert (after.crf, after.value, after.options, after.hardware) == (True, "69.86", "", "one GPU")
    assert len(after.date) == 10 and after.commit and "torch" in after.versions
    assert len(in_ledger("| 65.71 (one GPU; ")) == 2 and len(in_ledger("| 69.86 (one GPU; ")) == 1


def test_hardware_is_that_of_this_machine(place):
    evaluated("voc12/largefov", after=False)
    assert main(["ledger", "--add", "voc12/largefov"]) == 0
    (result,) = read_results()
    assert result.hardware and not result.crf


def test_other_settings_are_named(place):
    flags = ("--iterations", "100", "--snapshot", "50", "--random-seed", "3")
    evaluated("voc12/largefov", *flags, folder="exper/short")
    net = Path("exper/short/prototxt/train.prototxt")
    net.write_text(net.read_text().replace("dilation: 12", "dilation: 6").replace("pad: 12", "pad: 6"))
    assert main(["ledger", "--add", "voc12/largefov", "--exp", "exper/short", "--note", "a try"]) == 0
    result = read_results()[0]
    assert (result.options, result.note) == ("--iterations 100", "a try; edited by hand: train.prototxt")
    assert in_ledger("with `--iterations 100`; a try; edited by hand: train.prototxt")


def test_regions_and_given_weights_are_named(place):
    words = "scale 1; regions of 513 x 513 pixels (H x W), overlap 0.25"
    evaluated("cityscapes/resnet101", done={"protocol": words, "stage": "", "weights": "models/mine.caffemodel"})
    assert main(["ledger", "--add", "cityscapes_resnet101"]) == 0
    (result,) = read_results()
    assert result.note == "tested in regions of 513 x 513 pixels (H x W), overlap 0.25; weights mine.caffemodel"


def test_the_second_stages_weights_on_a_list_with_labels_are_named(place):
    evaluated("voc12/largefov", done={"protocol": "scale 1", "stage": "2", "weights": "train2_iter_9.caffemodel"})
    assert main(["ledger", "--add", "voc12/largefov"]) == 0
    assert [result.note for result in read_results()] == ["weights of training stage 2"] * 2


def test_parameters_of_the_crf_that_were_not_searched_on_val_are_named(place):
    evaluated("voc12/largefov")
    folder = Path("exper/voc12/largefov/result_crf/val")
    folder.mkdir(parents=True)
    for source, note in (("preset DeepLab", "CRF parameters: preset DeepLab"), ("search on the list 'val'", "")):
        (folder / "done.json").write_text(json.dumps({"used": True, "from": source}))
        assert main(["ledger", "--add", "voc12/largefov"]) == 0
        assert [result.note for result in read_results()][-2:] == ["", note]


def test_scores_of_an_earlier_test_are_refused(place, capsys):
    """The record of a test tells how it was done: scores that are older than it were measured in another way."""
    evaluated("voc12/largefov")
    later = Path("exper/voc12/largefov/evaluation.json").stat().st_mtime + 9
    os.utime("exper/voc12/largefov/result/val/done.json", (later, later))
    assert main(["ledger", "--add", "voc12/largefov"]) == 2
    assert "evaluation.json: older than the results in exper/voc12/largefov/result/val" in capsys.readouterr().err


def test_another_list_is_named(place):
    folder = place / "data" / "VOCdevkit" / "VOC2012" / "list"
    folder.mkdir(parents=True)
    (folder / "val.txt").write_text("/JPEGImages/a.jpg /SegmentationClass/a.png\n")
    evaluated("voc12/largefov")
    assert main(["ledger", "--add", "voc_largefov"]) == 0
    assert [result.note for result in read_results()] == ["images in the list: 1, published: 1449"] * 2


def test_how_it_was_tested(place):
    six = [0.5, 0.75, 1, 1.25, 1.5, 1.75]
    protocol = {"protocol": "scales 0.5, 0.75, 1, 1.25, 1.5, 1.75; mirrored too", "stage": "1", "weights": "w"}
    evaluated("voc12/v3_resnet101_aspp", "--test-output-stride", "8", done=protocol)
    assert main(["ledger", "--add", "voc_v3_resnet101_aspp"]) == 0
    (result,) = read_results()  # v3 has no scores after a CRF
    assert (result.output_stride, result.scales, result.flip) == (8, tuple(six), True)
    assert [line.split(" | ")[4] for line in in_ledger("| 65.71 (")] == ["79.77"]


@pytest.mark.parametrize(
    ("prepare", "words", "message"),
    [
        (
            None,
            [],
            "exper/voc12/largefov/evaluation.json: cannot read the file: No such file or directory; run its stage",
        ),
        (
            {"split": "train"},
            [],
            "voc12/largefov on the list 'train' (output stride as trained, scales 1, no flip): no pub",
        ),
        ({"done": {"protocol": "scales 0.5, 1"}}, [], "(output stride as trained, scales 0.5,1, no flip): no pub"),
        ({"done": {"protocol": "scale 1..5"}}, [], "exper/voc12/largefov/result/val/done.json: damaged"),
        ({"done": {"protocol": "x"}}, [], "exper/voc12/largefov/result/val/done.json: damaged"),
        ({}, ["--exp", "exper/other"], "exper/other/evaluation.json: cannot read the file"),
    ],
)
def test_what_is_refused(place, capsys, prepare, words, message):
    if prepare is not None:
        evaluated("voc12/largefov", **prepare)
    capsys.readouterr()
    assert main(["ledger", "--add", "voc_largefov", *words]) == 2
    assert message in capsys.readouterr().err
    assert not Path("docs").exists()


def test_flags_of_add_without_it(place, capsys):
    assert main(["ledger", "--hardware", "x"]) == 2
    assert "--hardware: belongs to --add NAME" in capsys.readouterr().err


def test_a_damaged_evaluation(place, capsys):
    evaluated("voc12/largefov")
    for text in ('{"list": "val"}', '{"dataset": "voc12", "list": "val", "before": {"mean_iou": null}, "after": null}'):
        Path("exper/voc12/largefov/evaluation.json").write_text(text)
        assert main(["ledger", "--add", "voc_largefov"]) == 2
        assert "exper/voc12/largefov/evaluation.json: damaged; run the stage evaluate again" in capsys.readouterr().err

"""The commands that list models and write all of their nets."""

from __future__ import annotations

import hashlib

import pytest

from deeplab_caffe.cli import main
from deeplab_caffe.cli.commands import prototxt_all
from deeplab_caffe.formats.signature import sign
from deeplab_caffe.nets import VARIANTS


def test_list(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert set(VARIANTS) <= {line.split()[0] for line in lines if line.startswith("  ")}


def test_list_as_a_page(place):
    assert main(["list", "--markdown", "models.md"]) == 0
    assert (place / "models.md").read_text(encoding="utf-8").startswith("# Models\n")


def test_prototxt_all(place, monkeypatch, capsys):
    monkeypatch.setattr(prototxt_all, "published_names", lambda: ["voc12/aspp_l", "pascal_context/largefov"])
    assert main(["prototxt", "all"]) == 0
    assert "prototxt/voc12/aspp_l: written: train.prototxt, train2.prototxt" in capsys.readouterr().out
    edited = place / "prototxt" / "pascal_context" / "largefov" / "train.prototxt"
    edited.write_text(edited.read_text().replace("dilation: 12", "dilation: 6"))
    assert main(["prototxt", "all"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "prototxt/pascal_context/largefov: unchanged: test.prototxt, deploy.prototxt, solver.prototxt",
        "prototxt/pascal_context/largefov: kept, edited by hand: train.prototxt",
        "2 models; 9 files were already up to date",
    ]
    assert "dilation: 6" in edited.read_text()


def test_prototxt_all_refresh_writes_what_is_there_and_the_sums_of_all(place, monkeypatch, capsys):
    monkeypatch.setattr(prototxt_all, "published_names", lambda: ["voc12/largefov", "pascal_context/largefov"])
    assert main(["prototxt", "pascal_context/largefov"]) == 0
    stale = place / "prototxt" / "pascal_context" / "largefov" / "deploy.prototxt"
    text = stale.read_text()
    stale.write_text(sign("A net.", "deeplab prototxt pascal_context/largefov", "of an older version"))
    capsys.readouterr()
    assert main(["prototxt", "all", "--refresh"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "prototxt/pascal_context/largefov: written: deploy.prototxt",
        "prototxt/pascal_context/largefov: unchanged: train.prototxt, test.prototxt, solver.prototxt",
        "prototxt/generated.sha256: written",
        "2 models; 3 files were already up to date",
    ]
    assert stale.read_text() == text and not (place / "prototxt" / "voc12").exists()
    sums = dict(reversed(line.split()) for line in (place / "prototxt" / "generated.sha256").read_text().splitlines())
    assert list(sums) == sorted(sums) and len(sums) == 10
    assert sums["pascal_context/largefov/deploy.prototxt"] == hashlib.sha256(stale.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["voc_aspp_l", "voc12/aspp_l"])
def test_one_model_by_either_name(place, name):
    assert main(["prototxt", name]) == 0
    assert (place / "prototxt" / "voc12" / "aspp_l" / "deploy.prototxt").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prototxt", "voc_aspp_1"], "got 'voc_aspp_1'; wanted <data set>/<model> or <data set>_<model>"),
        (["train", "voc_aspp_ll"], "did you mean 'voc_aspp_l' or"),
        (["trian", "voc_aspp_l"], "unknown command 'trian'; did you mean 'train'?"),
    ],
)
def test_unknown_names(place, capsys, words, message):
    assert main(words) == 2
    assert message in capsys.readouterr().err

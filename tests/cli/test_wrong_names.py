"""Every command with a file that is missing, an empty folder for a file, and names that nearly exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeplab_caffe.cli import main

#: commands that read a file, which stands for WORD
_FILES = [
    "prototxt lint WORD",
    "prototxt format WORD",
    "prototxt upgrade WORD",
    "prototxt convert WORD --dialect bvlc",
    "prototxt inspect WORD",
    "prototxt diff WORD net.prototxt",
    "prototxt sync WORD",
    "prototxt view WORD",
    "weights show WORD",
    "weights check WORD net.prototxt",
    "weights diff WORD WORD",
    "weights convert WORD new.caffemodel",
    "weights port WORD --to net.prototxt -o new.caffemodel",
    "weights get --manifest WORD",
    "export torch WORD -o out",
    "export onnx WORD -o out",
    "run WORD",
    "log WORD",
    "caffe train --solver=WORD",
    "caffe test --model=WORD --weights=WORD",
    "convert_imageset ./ WORD database",
    "compute_image_mean WORD",
    "upgrade_net_proto_text WORD new",
    "upgrade_net_proto_binary WORD new",
    "dataset check WORD",
    "dataset convert-labels WORD -o new --map 1=2",
    "crf --scores WORD --images . -o new",
    "crf-search --scores WORD --images . --labels . -o new",
    "score --results . --list WORD --data camvid",
    "compare WORD WORD --list val --data camvid",
    "predict photo.jpg --net WORD --weights WORD",
    "train demo --data WORD",
]


@pytest.mark.parametrize("word", ["missing.prototxt", "no*.prototxt", "empty"])
@pytest.mark.parametrize("command", _FILES)
def test_a_file_that_is_not_there_is_an_error(command, word, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("net.prototxt").write_text('name: "net"\n')
    assert main(command.replace("WORD", word).split()) == 2
    said = capsys.readouterr().err
    assert word in said or "score maps" in said or "has no net" in said
    assert "Traceback" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "net.prototxt"]


@pytest.mark.parametrize(
    ("command", "near"),
    [
        ("train voc12/largefow", "largefov"),
        ("train voc_largefow", "voc_largefov"),
        ("train voc13/largefov", "voc12"),
        ("train dmo", "demo"),
        ("train demo --data camvd", "camvid"),
        ("prototxt voc12/largefov --train-set trian", "train"),
        ("prototxt voc12/largefov --class-weights media-frequency", "median-frequency"),
        ("test demo --preset DeepLb", "DeepLab"),
        ("compare voc12/largefow", "voc12/largefov"),
        ("submit voc12 voc12/largefow", "voc12/largefov"),
        ("dataset voc13", "voc12"),
        ("dataset copy camvd", "camvid"),
        ("dataset duplicate voc12 --list train --classes bicycl", "bicycle"),
        ("weights check no voc12/largefow", "largefov"),
        ("export torch voc12/largefow -o out", "largefov"),
        ("prototxt lint net.prototxt --ignore unused-blb", "unused-blob"),
        ("caffe trian", "train"),
    ],
)
def test_the_nearest_name_is_suggested(command, near, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text('name: "net"\n')
    assert main(command.split()) == 2
    assert f"did you mean '{near}'" in capsys.readouterr().err

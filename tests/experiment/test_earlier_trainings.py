"""A finished training is moved only for a net that can be trained, and comes back with the net it was made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeplab_caffe.cli import main
from deeplab_caffe.experiment.earlier_trainings import Snapshots

NETS = ("train", "test", "deploy")


@pytest.fixture
def trained(tiny: Path, deeplab) -> Path:
    """The folder of an experiment whose stage 1 is finished."""
    for stage in ("data", "prototxt", "train"):
        assert deeplab(stage) == 0
    return tiny / "exp"


def _replace(folder: Path, old: str, new: str) -> None:
    for name in NETS:
        path = folder / "prototxt" / f"{name}.prototxt"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))


def _restore(nets: dict[Path, str]) -> None:
    for path, text in nets.items():
        path.write_text(text)


def test_a_net_that_cannot_be_trained_moves_nothing_and_a_former_one_is_taken_back(trained, deeplab, capsys):
    weights = trained / "model/train_iter_4.caffemodel"
    before = weights.read_bytes()
    nets = {path: path.read_text() for path in (trained / "prototxt").glob("*.prototxt")}
    _replace(trained, "num_output: 3", "num_output: 1")  # labels go up to 2
    assert deeplab("train") == 2
    assert weights.read_bytes() == before and not (trained / "model/before-1").exists()
    _restore(nets)
    _replace(trained, "dilation: 12", "dilation: 6")
    _replace(trained, "pad: 12", "pad: 6")
    assert deeplab("train") == 0
    assert (trained / "model/before-1/train_iter_4.caffemodel").read_bytes() == before != weights.read_bytes()
    assert "trying one batch before the earlier training is moved" in capsys.readouterr().out
    second = weights.read_bytes()
    _restore(nets)
    assert deeplab("train") == 0
    assert "before-1: this training was begun before; its snapshots were taken back" in capsys.readouterr().out
    assert weights.read_bytes() == before and not (trained / "model/before-1").exists()
    assert (trained / "model/before-2/train_iter_4.caffemodel").read_bytes() == second
    assert deeplab("train", "--force") == 0
    assert (trained / "model/before-3/train_iter_4.caffemodel").read_bytes() == before


def test_the_newest_of_equal_ones_is_taken_back(tmp_path):
    def snapshots(wanted: str) -> Snapshots:
        return Snapshots(tmp_path / "train.json", tmp_path / "log/train.log", tmp_path / "train", wanted)

    state = tmp_path / "train_iter_1.caffemodel"
    for wanted, forced in (("a", False), ("a", True), ("b", False)):
        if forced:
            snapshots(wanted).forget()
        snapshots(wanted).begin()
        state.write_text(f"{wanted} {forced}")
    snapshots("a").begin()
    assert state.read_text() == "a True"
    assert (tmp_path / "before-1/train_iter_1.caffemodel").read_text() == "a False"
    assert (tmp_path / "before-3/train_iter_1.caffemodel").read_text() == "b False"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--crop", "300"], "option crop: got 300; wanted 8k + 1"),
        (["--test-crop", "320"], "option test_crop: got 320; wanted 8k + 1"),
        (["--test-set", "nosuch"], "no list 'nosuch'"),
        (["--train-set", "nosuch"], "no list 'nosuch'"),
        (["--test-output-stride", "8"], "option test_output_stride: does not apply"),
    ],
)
@pytest.mark.parametrize("stage", ["prototxt", "all"])
def test_a_refused_option_is_not_saved(tiny, capsys, stage, flags, says):
    assert main([stage, "demo", "--data", "tiny.toml", "--exp", "exp", *flags]) == 2
    assert says in capsys.readouterr().err
    assert not Path("exp/experiment.json").exists()


def test_forget(tiny, capsys):
    command = ["data", "demo", "--data", "tiny.toml", "--exp", "exp"]
    assert main(command) == 0 and main(["prototxt", *command[1:], "--crop", "33", "--batch-size", "3"]) == 0
    path = Path("exp/experiment.json")
    path.write_text(path.read_text().replace("33", "300"))  # as an earlier release saved it
    assert main(command) == 2
    hint = "saved in exp/experiment.json from an earlier call: crop 300, batch_size 3; --forget OPTION removes one"
    assert hint in capsys.readouterr().err
    assert main([*command, "--forget", "crp"]) == 2
    assert "has no such option; did you mean 'crop'?" in capsys.readouterr().err
    assert main([*command, "--forget", "crop"]) == 0
    assert '"batch_size": 3' in path.read_text() and "crop" not in path.read_text()
    assert main(["train", "voc12/largefov", "--forget", "crop"]) == 2


@pytest.mark.parametrize(
    "stage", ["data", "prototxt", "train", "train2", "test", "search", "crf", "evaluate", "report", "all"]
)
def test_an_unknown_model_has_one_message(tiny, capsys, stage):
    assert main([stage, "voc12/largefow"]) == 2
    assert "'voc12/largefow': there is no model 'largefow'; did you mean 'largefov'?" in capsys.readouterr().err

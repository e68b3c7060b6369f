"""Where a model's first weights come from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deeplab_caffe.cli import main
from deeplab_caffe.errors import InputError
from deeplab_caffe.experiment import published
from deeplab_caffe.experiment.stages.train import _initial_weights, train
from deeplab_caffe.nets import GeneratorOptions, generate, write_files

REPOSITORY = Path(__file__).parents[2]
TOML = 'name = "toy"\nclasses = ["a", "b"]\n[lists]\ntrain = "train.txt"\nval = "train.txt"\n'


@pytest.fixture
def msc(tmp_path, monkeypatch):
    """An experiment whose model starts from another one's weights; the nets of both are written."""
    monkeypatch.chdir(tmp_path)
    Path("toy.toml").write_text(TOML)
    options = GeneratorOptions(dataset="toy.toml", width=0.01, iterations=3)
    for model in ("deeplab", "msc"):
        write_files(f"prototxt/toy/{model}", generate(f"toy/{model}", options))
    return published("toy/msc", options)


def weights(path):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_weights_of_the_model_before(msc):
    before = weights("exper/toy/deeplab/model/train_iter_3.caffemodel")
    assert _initial_weights(msc, "") == [before]
    given = weights("exper/toy/msc/model/init.caffemodel")
    assert _initial_weights(msc, "") == [given]


def test_the_weights_of_a_published_model_before_whose_files_are_not_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "datasets", "datasets")
    before = weights("exper/coco/largefov_v1/model/train_iter_6000.caffemodel")
    assert _initial_weights(published("voc12/largefov_coco"), "") == [before]


@pytest.mark.parametrize("stage", ["train", "train2", "test"])
def test_nets_that_are_not_written_are_written_first(tiny, capsys, stage):
    flags = ["--data", "tiny.toml", "--crop", "33", "--train2-set", "train"]
    assert main([stage, "tiny/largefov", *flags]) == 2  # there are no weights to go on from
    shown = capsys.readouterr()
    assert "== prototxt\nprototxt/tiny/largefov: written: train.prototxt, train2.prototxt" in shown.out
    assert "caffemodel" in shown.err
    assert main([stage, "tiny/largefov", *flags]) == 2
    assert "== prototxt" not in capsys.readouterr().out


def test_no_weights(msc):
    with pytest.raises(InputError) as error:
        train(msc)
    assert "layer 'conv1_1' has no weight_filler, so it must start from trained weights" in str(error.value)
    assert "Put them at exper/toy/msc/model/init.caffemodel" in str(error.value)
    assert "train them first: deeplab train toy/deeplab" in str(error.value)

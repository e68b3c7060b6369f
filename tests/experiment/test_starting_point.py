"""Where a model's first weights come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.experiment import published
from deeplab_caffe.experiment.stages.train import _initial_weights, train
from deeplab_caffe.nets import Options, generate, write_files

TOML = 'name = "toy"\nclasses = ["a", "b"]\n[lists]\ntrain = "train.txt"\nval = "train.txt"\n'


@pytest.fixture
def msc(tmp_path, monkeypatch):
    """An experiment whose model starts from another one's weights; the nets of both are written."""
    monkeypatch.chdir(tmp_path)
    Path("toy.toml").write_text(TOML)
    options = Options(dataset="toy.toml", width=0.01, iterations=3)
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


def test_no_weights(msc):
    with pytest.raises(InputError) as error:
        train(msc)
    assert "layer 'conv1_1' has no weight_filler, so it must start from trained weights" in str(error.value)
    assert "Put them at exper/toy/msc/model/init.caffemodel" in str(error.value)
    assert "train them first: deeplab train toy/deeplab" in str(error.value)

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
        write_files(f"exper/toy/{model}/prototxt", generate(f"toy/{model}", options))
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


@pytest.mark.parametrize(
    ("stage", "flags"),
    [("train", ["--crop", "33"]), ("train2", ["--train2-set", "train"]), ("test", ["--test-crop", "65"]), ("test", [])],
)
def test_nets_that_are_not_written_are_written_first(tiny, capsys, stage, flags):
    command = [stage, "tiny/largefov", "--data", "tiny.toml"]
    assert main([*command, *flags]) == 2  # there are no weights to go on from
    shown = capsys.readouterr()
    folder = "exper/tiny/largefov/prototxt" if flags else "prototxt/tiny/largefov"
    assert f"== prototxt\n{folder}: written: train.prototxt, " in shown.out
    assert "caffemodel" in shown.err
    assert main(command) == 2
    assert "== prototxt\n" not in capsys.readouterr().out


def test_no_weights(msc):
    with pytest.raises(InputError) as error:
        train(msc)
    assert "layer 'conv1_1' has no weight_filler, so it must start from trained weights" in str(error.value)
    assert "Put them at exper/toy/msc/model/init.caffemodel" in str(error.value)
    assert "train them first: deeplab train toy/deeplab" in str(error.value)


# -- on other data than the publication's


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A published model on other data, in a folder of the user's choice, from random weights."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(REPOSITORY / "datasets", "datasets")
    Path("toy.toml").write_text(TOML)

    def experiment(model, **options):
        options = {"width": 0.01, "iterations": 3, "from_scratch": True, **options}
        found = published(f"voc12/{model}", GeneratorOptions(dataset="toy.toml", experiment=f"runs/{model}", **options))
        write_files(found.prototxt, generate(found.name, found.options))
        return found

    return experiment


def test_the_weights_of_the_experiment_beside_it(elsewhere):
    elsewhere("fcn32s")
    finer = elsewhere("fcn16s")
    assert not _initial_weights(finer, "")[0].is_file()
    before = weights("runs/fcn32s/model/train_iter_3.caffemodel")
    assert _initial_weights(finer, "") == [before]


def test_the_weights_of_the_usual_folder(elsewhere):
    write_files("exper/toy/fcn32s/prototxt", generate("toy/fcn32s", GeneratorOptions(dataset="toy.toml", iterations=4)))
    before = weights("exper/toy/fcn32s/model/train_iter_4.caffemodel")
    assert _initial_weights(elsewhere("fcn16s"), "") == [before]


def test_random_weights_where_trained_ones_are_meant_are_noted(elsewhere, capsys):
    finer = elsewhere("fcn16s")
    with pytest.raises(InputError, match="train.txt"):  # the data are missing, which is noticed afterwards
        train(finer)
    shown = capsys.readouterr().out
    assert "note: no initial weights, so all layers start from random ones" in shown
    assert "train them first: deeplab train voc12/fcn32s --data toy.toml --exp runs/fcn32s" in shown


def test_a_frozen_net_is_not_left_random(elsewhere):
    with pytest.raises(InputError) as error:
        train(elsewhere("msc_largefov"))
    assert "layer 'conv1_1' is frozen (lr_mult 0) and random, so it must start from trained weights" in str(error.value)
    assert "deeplab train voc12/largefov_v1 --data toy.toml --exp runs/largefov_v1" in str(error.value)

"""Files of the package: read where the working folder has none of the name, and standing where that would stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeplab_caffe import cli
from deeplab_caffe.data import described_names, description_file, named_dataset, read_dataset
from deeplab_caffe.errors import InputError
from deeplab_caffe.nets import append_results, full_name, read_results
from deeplab_caffe.package_files import is_packaged, or_packaged
from deeplab_caffe.porting.manifest import read_manifest
from experiment.fake_voc import ROOT, make_fake_voc

VOC = Path("datasets/voc12.toml")
SMALL = 'name = "voc12"\nroot = "../elsewhere"\nclasses = ["background", "cat"]\n'


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_data_lies_in_the_working_folder() -> None:
    voc = named_dataset("voc12")
    assert (voc.file, voc.root) == (VOC, Path("data/VOCdevkit/VOC2012"))
    assert voc.list_path("val") == Path("data/VOCdevkit/VOC2012/list/val.txt")
    assert "(datasets/voc12.toml, which comes with the package)" in (voc.missing(["val"]) or "")


def test_a_file_of_the_working_folder_comes_first() -> None:
    VOC.parent.mkdir()
    VOC.write_text(SMALL)
    assert named_dataset("voc12").classes == ("background", "cat") and not is_packaged(VOC)
    assert "which comes with the package" not in (named_dataset("voc12").missing([]) or "")
    Path("models").mkdir()
    Path("models/weights.toml").write_text('[mine]\ntitle = "mine"\nfile = "m.caffemodel"\nurls = ["http://x.org/m"]\n')
    assert list(read_manifest("models/weights.toml")) == ["mine"]


def test_a_dangling_link_of_the_working_folder_is_not_passed_over() -> None:
    VOC.parent.mkdir()
    VOC.symlink_to("gone.toml")
    with pytest.raises(InputError, match=r"datasets/voc12\.toml: cannot read"):
        read_dataset(VOC)


@pytest.mark.parametrize(
    "path", ["voc12.toml", "x/datasets/voc12.toml", "../datasets/voc12.toml", "datasets/../x.toml"]
)
def test_other_paths_mean_what_they_say(path: str) -> None:
    assert or_packaged(path) == Path(path)
    assert or_packaged(Path(path).absolute()) == Path(path).absolute()


def test_names_are_those_of_both_places() -> None:
    VOC.parent.mkdir()
    Path("datasets/pets.toml").write_text(SMALL.replace("voc12", "pets"))
    assert {"pets", "voc12", "camvid"} <= {*described_names()}
    assert full_name("pets_aspp_l") == "pets/aspp_l"
    assert description_file("pets") == Path("datasets/pets.toml")
    with pytest.raises(InputError, match=r"'pest': there is no datasets/pest\.toml; did you mean 'pets'\?$"):
        description_file("pest")


def test_results_of_the_package_stay_when_one_is_added() -> None:
    before = read_results()
    assert before == read_results(ROOT / "docs/results.toml")
    append_results(before[:1])
    assert read_results() == [*before, *before[:1]]


def test_a_copy_to_be_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["dataset", "copy", "voc12"]) == 0
    assert VOC.read_bytes() == (ROOT / VOC).read_bytes()
    assert cli.main(["dataset", "copy", "voc12"]) == 2
    assert "datasets/voc12.toml exists already" in capsys.readouterr().err
    assert cli.main(["dataset", "copy", "voc21"]) == 2
    assert "there is no datasets/voc21.toml; did you mean 'voc12'?" in capsys.readouterr().err


def test_stages_on_a_description_of_the_package(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_fake_voc(empty)
    VOC.unlink()
    words = ["data", "voc12/largefov", "--iterations2", "0"]
    assert cli.main(words) == 0
    assert "PASCAL VOC 2012: 6 train_aug, 3 val images" in capsys.readouterr().out
    assert cli.main(words) == 0
    assert "largest" not in capsys.readouterr().out  # done, and not done again
    VOC.write_text((ROOT / VOC).read_text().replace("PASCAL VOC 2012", "changed"))
    assert cli.main(words) == 0
    assert "changed: 6 train_aug, 3 val images" in capsys.readouterr().out

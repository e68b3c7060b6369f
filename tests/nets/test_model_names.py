"""Models have names for people, for make and for the page that lists them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.nets import VARIANTS, full_name, listing, published_names, starts_from, target
from net_facts import REPOSITORY


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("voc12/largefov", "voc12/largefov"),
        ("voc_largefov", "voc12/largefov"),
        ("voc12_largefov", "voc12/largefov"),
        ("cityscapes_resnet101_aspp", "cityscapes/resnet101_aspp"),
        ("pascal_context_resnet101_msc_coco_aug", "pascal_context/resnet101_msc_coco_aug"),
        ("coco_largefov_v1", "coco/largefov_v1"),
        ("cityscapes_half_largefov", "cityscapes_half/largefov"),
        ("voc_largefov_coco", "voc12/largefov_coco"),
        ("mine/anything", "mine/anything"),
    ],
)
def test_full_names(name, full):
    assert full_name(name) == full


def test_a_data_set_described_here_has_targets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        full_name("my_set_aspp_l")
    Path("datasets").mkdir()
    Path("datasets/my_set.toml").touch()
    assert full_name("my_set_aspp_l") == "my_set/aspp_l"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("voc_largefow", "did you mean 'voc_largefov' or"),
        ("aspp_l", "did you mean 'voc_aspp_l'?"),
        ("zzz", "`deeplab list` shows all models"),
    ],
)
def test_unknown_names(name, hint):
    with pytest.raises(InputError, match=f"got '{name}'; wanted <data set>/<model> or <data set>_<model>.*{hint}"):
        full_name(name)


def test_names_are_unambiguous():
    pairs = [(dataset, model) for model, row in VARIANTS.items() for dataset in row.datasets]
    assert len({target(*pair) for pair in pairs}) == len(pairs)
    for dataset, model in pairs:
        assert full_name(target(dataset, model)) == f"{dataset}/{model}"


def test_starting_points():
    assert starts_from("voc12/largefov") is None
    assert starts_from("cityscapes/msc") == "cityscapes/deeplab"
    assert starts_from("person_part/resnet101_msc_coco") == "coco/resnet101_msc"
    assert starts_from("voc12/scales3_attention_coco_dt") == "voc12/scales3_attention_coco"
    assert starts_from("voc12/scales3_attention_coco") == "coco/scales3_attention_esupv"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("voc_aspp_l", "deeplab all voc_aspp_l"),
        ("voc_aspp_l.train", "deeplab train voc_aspp_l"),
        ("cityscapes_resnet101_aspp.crf", "deeplab crf cityscapes_resnet101_aspp"),
        ("person_part_resnet101 ARGS=--force", "deeplab all person_part_resnet101 --force"),
        ("voc_data", "deeplab dataset voc12"),
        ("pascal_context_data", "deeplab dataset pascal_context"),
        ("coco80_data ARGS=--no-download", "deeplab dataset coco80 --no-download"),
    ],
)
def test_make_targets(words, command):
    # make may have started this test: its own variables would have the inner one print the folders it enters
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    call = ["make", "--no-print-directory", "-n", *words.split()]
    done = subprocess.run(call, cwd=REPOSITORY, env=env, capture_output=True, text=True)
    assert command in " ".join(done.stdout.splitlines()[-1].split())


def test_unknown_make_targets():
    done = subprocess.run(["make", "tset"], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 2 and "there is no target 'tset': make help lists them" in done.stderr


def test_the_page_of_models_is_current():
    page = (REPOSITORY / "docs" / "models.md").read_text(encoding="utf-8")
    assert page == listing.as_markdown(), "run make prototxt"


def test_the_list_shows_every_model():
    text = listing.as_text()
    assert all(f"\n  {model} " in text for model in VARIANTS)
    (line,) = [line for line in text.splitlines() if line.startswith("  largefov_v1 ")]
    assert line.split(maxsplit=4)[:4] == ["largefov_v1", "20.5", "M", "224"]
    assert "  voc12, coco  " in line and line.endswith("  62.25 +67.64; test +70.3")
    assert {f"`{model}`" for model in VARIANTS} <= set(listing.as_markdown().split())
    assert len(list(published_names())) == len(set(published_names()))

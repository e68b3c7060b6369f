"""Testing as the papers do it, on a tiny VOC: weights by list, the test server's list, scales, regions, presets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deeplab_caffe import cli, inference
from deeplab_caffe.cli.stage_flags import read_by
from deeplab_caffe.crf import resize_scores
from deeplab_caffe.crf.search import SearchResult, SearchSpace
from deeplab_caffe.data import read_image, read_label
from deeplab_caffe.data.score_kinds import kind_of
from deeplab_caffe.errors import InputError
from deeplab_caffe.experiment import demo, published
from deeplab_caffe.experiment.settings import remember
from deeplab_caffe.experiment.stages import search
from deeplab_caffe.experiment.testing import Testing as Settings
from deeplab_caffe.nets import GeneratorOptions
from experiment.fake_voc import ROOT, make_fake_voc
from small_search import SPACE

#: a net that trains in a moment
TINY = [
    *("--crop", "33", "--test-crop", "65", "--batch-size", "2", "--width", "0.03", "--from-scratch"),
    *("--iterations", "2", "--iterations2", "2", "--snapshot", "2", "--display", "1", "--solver-mode", "CPU"),
    *("--random-seed", "1"),
]
EXP = Path("exper/voc12/largefov")
STAGE1, STAGE2 = (str(EXP / f"model/train{stage}_iter_2.caffemodel") for stage in ("", "2"))
TEST_IDS = ["2007_000009", "2007_000010", "2007_000011"]


def deeplab(stage: str, *flags: str) -> int:
    return cli.main([stage, "voc12/largefov", *read_by(stage, TINY), *flags])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory of `deeplab all voc12/largefov --test-set test`."""
    folder = tmp_path_factory.mktemp("voc")
    make_fake_voc(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        real = search.coarse_to_fine

        def one_that_helps(items: Any, classes: int, _: SearchSpace, *rest: Any, **more: Any) -> SearchResult:
            found = real(items, classes, SPACE, *rest, **more)
            return replace(found, baseline_mean_iou=found.best_mean_iou - 0.01)

        patch.setattr(search, "coarse_to_fine", one_that_helps)
        assert deeplab("all", "--test-set", "test") == 0
        yield folder


@pytest.fixture
def voc(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it."""
    shutil.copytree(trained, tmp_path / "voc")
    monkeypatch.chdir(tmp_path / "voc")
    return tmp_path / "voc"


def _done(folder: str) -> dict[str, Any]:
    return json.loads((EXP / folder / "done.json").read_text())


def _record(stage: str) -> dict[str, Any]:
    return json.loads((EXP / "stages" / f"{stage}.json").read_text())


# -- the list of the test server


def test_the_test_servers_list_passes_all_stages(voc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("result/test", "result_crf/test"):
        assert sorted(path.stem for path in (EXP / folder).glob("*.png")) == TEST_IDS
        for i, name in enumerate(TEST_IDS, 9):
            assert read_label(EXP / folder / f"{name}.png").shape == (38 + i, 44 + i)
    assert deeplab("all", "--test-set", "test") == 0
    out = capsys.readouterr().out
    assert out.count("already done") == 8
    assert "== evaluate: skipped, the list 'test' has no labels, so there are no scores" in out
    page = (EXP / "report/index.html").read_text()
    assert "The list &#39;test&#39; has no labels, so there are no scores." in page
    assert not (EXP / "evaluation.json").exists()


def test_the_results_make_an_archive_that_the_checker_accepts(voc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["submit", "voc12", "voc12/largefov"]) == 0
    assert f"result_crf/test, after the CRF; weights: {STAGE2}" in capsys.readouterr().out
    assert cli.main(["submit", "voc12", "--check", str(EXP / "submission/voc12_comp6.tgz")]) == 0
    assert "accepted: 3 images" in capsys.readouterr().out
    page = (EXP / "report/index.html").read_text()
    assert "weights train2_iter_2.caffemodel (stage 2)" in page and "belief after 10 iterations" in page


def test_each_list_has_the_weights_that_are_meant_for_it(voc: Path) -> None:
    test, val = _done("scores/test"), _done("scores/val")
    assert (test["weights"], test["stage"]) == (STAGE2, "2") and (val["weights"], val["stage"]) == (STAGE1, "1")
    assert test["kind"] == val["kind"] == "scores" and test["protocol"] == "scale 1"
    assert _done("result_crf/test")["from"] == "search on the list 'val'"
    page = (EXP / "report/index.html").read_text()
    assert STAGE1 in page and STAGE2 in page


def test_val_is_scored_with_stage_1(voc: Path) -> None:
    for stage in ("prototxt", "test"):
        assert deeplab(stage) == 0
    assert _done("scores/val")["weights"] == STAGE1


def test_weights_by_hand(voc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert deeplab("test", "--test-set", "test", "--stage", "1") == 0
    assert _done("scores/test")["weights"] == _done("scores/val")["weights"] == STAGE1
    assert deeplab("test", "--test-set", "test", "--stage", "2") == 0
    assert _done("scores/val")["stage"] == "2"
    assert "was trained on 3 of the 3 images of 'val'" in capsys.readouterr().err
    shutil.copy(STAGE1, "mine.caffemodel")
    assert deeplab("all", "--test-set", "test", "--weights", "mine.caffemodel") == 0
    assert _done("scores/test")["weights"] == "mine.caffemodel" and _done("scores/test")["stage"] == ""
    out = capsys.readouterr().out
    for stage in ("train", "train2"):
        assert f"== {stage}: skipped, --weights mine.caffemodel is tested" in out
    assert "test val: mine.caffemodel (given by --weights)" in out


def test_without_a_finished_second_stage_it_is_said(voc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path(STAGE2).unlink()
    assert deeplab("test", "--test-set", "test") == 0
    assert _done("scores/test")["stage"] == "1"
    assert "'test' is meant for the weights of the second training stage, which is not" in capsys.readouterr().err
    assert deeplab("test", "--test-set", "test", "--stage", "2") == 2
    assert "train2_iter_2.caffemodel does not exist; run the stage train2 first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--weights", "nothing.caffemodel"], "--weights nothing.caffemodel: there is no such file"),
        (["--weights", STAGE1, "--stage", "1"], "contradict each other"),
        (["--stage", "3"], "stage: got 3; wanted 1 or 2"),
        (["--stage", "one"], "--stage: got 'one'; wanted 1 or 2"),
        (["--stage", "2", "--iterations2", "0"], "--stage 2: voc12/largefov on datasets/voc12.toml has no second"),
        (["--preset", "mine"], "CRF: no preset 'mine'; known: default, DeepLab"),
        (["--scales", "0.5,x"], "--scales: got '0.5,x'; wanted numbers separated by commas"),
        (["--scales", "0.5,-1"], "numbers above 0"),
        (["--tile", "big"], "--tile: got 'big'; wanted pixels"),
        (["--overlap", "0.5"], "--overlap 0.5 is that of regions; state their size with --tile"),
        (["--tile", "33", "--overlap", "1.5"], "overlap: got 1.5"),
    ],
)
def test_flags_are_checked_before_anything_is_done(
    voc: Path, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in EXP.rglob("*"))
    assert deeplab("all", *flags) == 2
    assert said in capsys.readouterr().err
    assert sorted((path, path.stat().st_mtime_ns) for path in EXP.rglob("*")) == before


# -- several passes


def test_scales_mirrored_images_and_regions(voc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Labels and stored maps are those of the library; search, crf and report take the maps; train is not run again."""
    flags = ["--test-set", "test", "--scales", "0.75,1.25", "--flip", "--tile", "41x49", "--overlap", "0.5"]
    assert deeplab("all", *flags) == 0
    out = capsys.readouterr().out
    for stage in ("data", "train", "train2"):
        assert f"== {stage}: already done" in out
    done = _done("scores/test")
    words = "scales 0.75, 1.25; mirrored too; regions of 41 x 49 pixels (H x W), overlap 0.5"
    assert (done["size"], done["kind"], done["protocol"]) == ("image", "log-probabilities", words)
    folder = EXP / "prototxt"
    predictor = inference.load(folder / "deploy.prototxt", STAGE2)
    protocol = inference.Protocol((0.75, 1.25), True, (41, 49), 0.5)
    for name in TEST_IDS:
        found = predictor.probabilities(read_image(f"data/VOCdevkit/VOC2012/JPEGImages/{name}.jpg"), protocol)
        labels = read_label(EXP / "result/test" / f"{name}.png")
        assert np.array_equal(found.argmax(0), labels)
        stored = np.load(EXP / "scores/test" / f"{name}.npy")
        assert stored.dtype == np.float16 and stored.nbytes < found.nbytes / 20
        assert kind_of(stored, name) == "log-probabilities"  # what deeplab crf sees in them
        again = np.exp(resize_scores(stored, labels.shape))
        assert np.abs(again - found).max() < 0.1
    assert words in (EXP / "report/index.html").read_text()
    assert deeplab("all", *flags) == 0
    assert capsys.readouterr().out.count("already done") == 8


def test_the_protocol_is_what_the_stage_depends_on(voc: Path) -> None:
    plain = _record("test")["inputs"]
    assert deeplab("test", "--test-set", "test", "--flip") == 0
    flipped = _record("test")["inputs"]
    assert deeplab("test", "--test-set", "test", "--flip", "--scales", "1") == 0
    assert _record("test")["inputs"] == flipped != plain
    assert deeplab("test", "--test-set", "test", "--tile", "none") == 0
    assert _record("test")["inputs"] == plain and _done("scores/test")["kind"] == "scores"


def test_images_larger_than_the_test_crop_are_tested_in_regions(voc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("data/VOCdevkit/VOC2012/JPEGImages/2007_000009.jpg")
    toml = Path("datasets/voc12.toml")
    toml.write_text(toml.read_text().replace("test_size = [513, 513]", "test_size = [65, 65]"))
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (90, 70)))
    assert deeplab("data", "--test-set", "test") == 2
    assert (
        "images are up to 70×90; set test_size = [73, 97], or remove it, or test in regions" in capsys.readouterr().err
    )
    assert deeplab("test", "--test-set", "test") == 2  # also where the stage data has run before the image changed
    said = capsys.readouterr().err
    assert f"{path}: 90×70 pixels (width × height) are more than the test net's input of 65×65; test in regions" in said
    for stage in ("data", "test"):
        assert deeplab(stage, "--test-set", "test", "--tile", "41") == 0
    assert read_label(EXP / "result/test/2007_000009.png").shape == (70, 90)


# -- the CRF's parameters


def test_a_preset_needs_no_search(voc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("scores/val", "result/val", "crf"):
        shutil.rmtree(EXP / folder)
    assert deeplab("all", "--test-set", "test", "--preset", "DeepLab-MSc") == 0
    out = capsys.readouterr().out
    assert "== search: skipped, the parameters are those of the preset DeepLab-MSc" in out
    assert not (EXP / "scores/val").exists()
    assert _done("result_crf/test") == {"used": True, "from": "preset DeepLab-MSc"}
    assert sorted(path.stem for path in (EXP / "result_crf/test").glob("*.png")) == TEST_IDS
    assert "preset DeepLab-MSc" in (EXP / "report/index.html").read_text()


def test_a_preset_on_val_is_scored(
    voc: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deeplab("all", "--preset", "DeepLab-MSc") == 0
    assert json.loads((EXP / "evaluation.json").read_text())["after"]["mean_iou"] >= 0
    assert "published (" not in capsys.readouterr().out  # of another list than this short one

    count = len(Path("data/VOCdevkit/VOC2012/list/val.txt").read_text().splitlines())
    monkeypatch.setattr("deeplab_caffe.nets.published.published_images", lambda *of: count)
    assert deeplab("evaluate", "--force") == 0 and deeplab("report", "--force") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " published (" in line]
    assert [line.split(" published")[0] for line in lines] == [
        *("mean IoU before the CRF: 65.88", "mean IoU before the CRF: 65.76", "mean IoU after the CRF: 69.84")
    ]
    assert all("; trained with --crop 33 " in line and "unlike the published one" in line for line in lines)
    assert lines[0].replace("+", "&#43;") in (EXP / "report/index.html").read_text().replace("+", "&#43;")


def test_without_labels_to_search_on(voc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml = Path("datasets/voc12.toml")
    toml.write_text(toml.read_text().replace('val = "list/val.txt"', "", 1))
    assert deeplab("data", "--test-set", "test") == 2
    said = capsys.readouterr().err
    assert "the list 'test' has no labels, so the CRF's parameters cannot be searched on it" in said
    assert deeplab("data", "--test-set", "test", "--preset", "DeepLab-MSc") == 0


def test_a_damaged_image_of_the_test_list(voc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("data/VOCdevkit/VOC2012/JPEGImages/2007_000010.jpg").write_bytes(b"no image")
    assert deeplab("data", "--test-set", "test") == 2
    said = capsys.readouterr().err
    assert "list/test.txt:2: data/VOCdevkit/VOC2012/JPEGImages/2007_000010.jpg: cannot read the image" in said


def test_results_of_earlier_versions_are_read(voc: Path) -> None:
    path = EXP / "scores/val/done.json"
    path.write_text(json.dumps({"size": [65, 65], "weights": STAGE1}))
    items = search.scored_items(_experiment(), _experiment().dataset(), "val")
    assert [(item.size, item.kind) for item in items] == [((65, 65), "net")] * 3
    path.write_text(json.dumps({"size": [65], "weights": STAGE1}))
    with pytest.raises(RuntimeError, match=r"scores/val/done.json: damaged; run the stage test again, with --force"):
        search.scored_items(_experiment(), _experiment().dataset(), "val")


def _experiment() -> Any:
    return published("voc12/largefov", GeneratorOptions(test_set="test"))


# -- settings


def test_the_demo_remembers_how_it_is_tested(tmp_path: Path) -> None:
    folder = str(tmp_path / "exp")
    remember(demo(folder=folder, testing=Settings(scales=(0.5, 1), tile=(65, 97), preset="DeepLab")))
    kept = demo(folder=folder, testing=Settings(flip=True))
    assert kept.testing == Settings((0.5, 1), True, (65, 97), preset="DeepLab")
    assert kept.command.endswith(f"--exp {folder} --scales 0.5,1 --flip --tile 65x97 --preset DeepLab")
    remember(kept)
    assert demo(folder=folder, forget=["scales", "preset"]).testing == Settings(flip=True, tile=(65, 97))
    with pytest.raises(InputError, match="--forget weights: .* saved are: flip, tile"):
        demo(folder=folder, forget=["weights"])


def test_settings_of_the_demo_that_are_no_longer_valid(tmp_path: Path) -> None:
    folder = tmp_path / "exp"
    weights = tmp_path / "w.caffemodel"
    weights.write_bytes(b"")
    remember(demo(folder=str(folder), testing=Settings(weights=str(weights))))
    weights.unlink()
    with pytest.raises(
        InputError, match=r"experiment.json: invalid \(--weights .*: there is no such file\); remove it"
    ):
        demo(folder=str(folder))
    assert demo(folder=str(folder), forget=["weights"]).testing == Settings()


def test_regions_are_the_default_where_a_paper_tests_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert published("cityscapes/resnet101_aspp").testing.tile == (513, 513)
    assert published("cityscapes/resnet101_aspp", testing=Settings(overlap=0.5)).testing.protocol.overlap == 0.5
    assert published("cityscapes/resnet101_aspp", testing=Settings(tile="none")).testing.protocol.is_plain
    for name in ("cityscapes/v3_resnet101_aspp", "voc12/resnet101_msc_aspp"):
        assert published(name).testing.protocol.is_plain


# -- output stride


@pytest.fixture
def v3(voc: Path) -> list[str]:
    """The arguments of commands on a trained DeepLab v3."""
    words = ["voc12/v3_resnet50_aspp", *TINY, "--iterations2", "0"]
    for stage in ("data", "prototxt", "train"):
        assert cli.main([stage, words[0], *read_by(stage, words[1:])]) == 0
    return words


def test_another_output_stride_needs_no_training(v3: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    scores = Path("exper/voc12/v3_resnet50_aspp/scores/val/2007_000006.npy")
    for stride, size in ((8, 9), (4, 17)):
        assert cli.main(["test", v3[0], "--test-output-stride", str(stride)]) == 0
        assert np.load(scores).shape == (21, size, size)
    capsys.readouterr()
    assert cli.main(["all", *v3, "--test-output-stride", "4", "--preset", "default"]) == 0
    out = capsys.readouterr().out
    assert "== train: already done" in out and "== test: already done" in out
    deploy = Path("exper/voc12/v3_resnet50_aspp/prototxt/deploy.prototxt")
    deploy.write_text(deploy.read_text().replace("dilation: 8", "dilation: 7", 1))
    text = deploy.with_name("test.prototxt").read_text()
    assert cli.main(["test", v3[0], "--test-output-stride", "8"]) == 2
    said = capsys.readouterr().err
    assert f"--test-output-stride: not possible, because these were edited by hand: {deploy}. Make" in said
    assert deploy.with_name("test.prototxt").read_text() == text

"""What the report shows: chosen images, what the net and the CRF do on them, lists without labels."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from deeplab_caffe import caffe, cli
from deeplab_caffe.data import read_dataset
from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import ImageScore, lowest_first
from deeplab_caffe.experiment import Experiment, create, pipeline
from deeplab_caffe.experiment.net_maps import MapBlob, compute_maps, map_blobs
from deeplab_caffe.experiment.report_pictures import check_shown, chosen_images, net_galleries
from deeplab_caffe.experiment.stages.report import report
from deeplab_caffe.nets import GeneratorOptions
from small_nets import conv, layer, net
from small_search import search_little

DATA = """
layer {{ name: "data" type: "ImageSegData" top: "data" top: "label" top: "data_dim" include {{ phase: TEST }}
  transform_param {{ crop_size: {crop} mean_value: 0 mean_value: 0 mean_value: 0 }}
  image_data_param {{ source: "val.txt" batch_size: 1 root_folder: "." label_type: PIXEL }} }}
"""


def two_scales(crop: int = 57) -> str:
    """Attention from blue and red, half the weight of each on scores that are the pixels themselves; and a filter."""
    sliced = layer("Slice", "cut", "weights", tops="a b")
    products = [layer("SpatialProduct", "wa", "s a"), layer("SpatialProduct", "wb", "s_res05_interp b")]
    scores = [conv(name, "data", "kernel_size: 1", outputs=2) for name in ("s", "s_res05_interp", "logits")]
    edges = [conv("strength", "data", "kernel_size: 1"), layer("ReLU", "relu", "strength", tops="strength")]
    end = [layer("Eltwise", "sum", "wa wb"), layer("DomainTransform", "filtered", "sum strength data_dim")]
    made = [*scores, layer("Softmax", "weights", "logits"), sliced, *products, *edges, *end]
    return DATA.format(crop=crop) + net(*made)


@pytest.fixture
def experiment(tiny: Path) -> Experiment:
    """The net above with weights that are known, and results of the stage test on the two images of val."""
    made = Experiment("tiny/two", Path("exp"), Path("exp/prototxt"), Path("tiny.toml"), GeneratorOptions())
    made.prototxt.mkdir(parents=True)
    (made.prototxt / "test.prototxt").write_text(two_scales())
    with_weights(made)
    for name in ("i6", "i7"):
        (made.result("val")).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(made.result("val") / f"{name}.png"), np.zeros((40, 48), np.uint8))
    made.scores("val").mkdir(parents=True)
    (made.scores("val") / "done.json").write_text('{"weights": "exp/w.caffemodel", "size": [57, 57]}')
    return replace(made, options=GeneratorOptions(test_set="val"), name="tiny/largefov")


def with_weights(experiment: Experiment) -> None:
    loaded = caffe.Net(str(experiment.prototxt / "test.prototxt"), caffe.TEST)
    for name in ("s", "s_res05_interp", "logits", "strength"):
        loaded.params[name][0].data[...] = 0
    loaded.params["logits"][0].data[0, 0] = loaded.params["logits"][0].data[1, 2] = 0.01  # blue, red
    loaded.params["strength"][0].data[0, :, 0, 0] = (0.01, 0, -0.01)
    loaded.save("exp/w.caffemodel")


def pixels(name: str) -> np.ndarray:
    return cv2.imread(f"images/{name}.png").astype(np.float64)


# -- what the net computes


def test_maps_are_found_by_what_reads_them(experiment: Experiment) -> None:
    found = map_blobs(experiment.prototxt / "test.prototxt")
    assert found == [MapBlob("attention", "weights", ("1", "1/2")), MapBlob("edges", "strength", ("edges",))]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("scales3_attention", [MapBlob("attention", "attention", ("1", "3/4", "1/2"))]),
        ("dt_edgenet", [MapBlob("edges", "edge", ("edges",))]),
        ("dt_gradient", [MapBlob("gradients", "edge", ("edges",))]),
        ("scales2_max", []),
        ("largefov", []),
    ],
)
def test_maps_of_published_nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, expected: list) -> None:
    from deeplab_caffe.nets import generate

    monkeypatch.chdir(Path(__file__).parents[2])
    (tmp_path / "test.prototxt").write_text(generate(f"voc12/{model}")["test.prototxt"])
    assert map_blobs(tmp_path / "test.prototxt") == expected


def test_maps_of_the_shown_images_alone_at_their_size(experiment: Experiment) -> None:
    dataset = read_dataset("tiny.toml")
    shown = [entry for entry in dataset.entries("val") if "i7" in entry.image]
    attention, edges = map_blobs(experiment.prototxt / "test.prototxt")
    (weights,) = compute_maps(experiment, dataset, attention, shown, Path("exp/w.caffemodel"))
    blue, red = pixels("i7")[..., 0], pixels("i7")[..., 2]
    expected = 1 / (1 + np.exp(0.01 * (red - blue)))
    assert weights.shape == (2, 40, 48)
    np.testing.assert_allclose(weights, [expected, 1 - expected], atol=1e-5)
    (strength,) = compute_maps(experiment, dataset, edges, shown, Path("exp/w.caffemodel"))
    np.testing.assert_allclose(strength, [np.maximum(0.01 * (blue - red), 0)], atol=1e-5)


def test_galleries_of_the_net(experiment: Experiment) -> None:
    dataset = read_dataset("tiny.toml")
    galleries, notes = net_galleries(experiment, dataset, chosen_images(experiment, dataset))
    assert [gallery.key for gallery in galleries] == ["attention", "edges"] and not notes
    assert [name for name, _ in galleries[0].rows] == ["i6", "i7"]


@pytest.mark.parametrize(
    ("fault", "note"),
    [
        (lambda: Path("exp/w.caffemodel").unlink(), "the weights exp/w.caffemodel of the stage test are not there"),
        (
            lambda: Path("exp/prototxt/test.prototxt").write_text(two_scales(33)),
            "the image must fit in the net's input",
        ),
    ],
)
def test_maps_that_cannot_be_made_are_a_note(experiment: Experiment, fault: Callable, note: str) -> None:
    fault()
    dataset = read_dataset("tiny.toml")
    galleries, notes = net_galleries(experiment, dataset, chosen_images(experiment, dataset))
    assert not galleries and len(notes) == 2
    assert notes[0].startswith("There are no pictures of the attention: ")


# -- chosen images


def test_chosen_images(experiment: Experiment) -> None:
    dataset = read_dataset("tiny.toml")
    assert [each.name for each in chosen_images(experiment, dataset)] == ["i6", "i7"]
    assert [each.name for each in chosen_images(replace(experiment, show=("i7", "i7")), dataset)] == ["i7"]
    unknown = replace(experiment, show=("i77",))
    with pytest.raises(
        InputError, match=r"--show: the list 'val' \(.*val.txt\) has no image 'i77'; did you mean 'i7'\?"
    ):
        chosen_images(unknown, dataset)
    with pytest.raises(InputError, match="has no image"):
        check_shown(unknown)
    Path("val.txt").unlink()
    check_shown(unknown)  # nothing is there yet that could be shown


def test_images_with_the_lowest_middling_and_highest_scores_are_shown(experiment: Experiment) -> None:
    lines = [f"/images/{k}.png /labels/{k}.png\n" for k in range(40)]
    Path("val.txt").write_text("".join(lines))
    rows = lowest_first([ImageScore(str(k), 9, 0, k / 40 if k else np.nan, 0.5, 0.5) for k in range(40)])
    shown = chosen_images(experiment, read_dataset("tiny.toml"), rows)
    assert [int(each.name) for each in shown] == [1, 2, 3, 4, 19, 20, 36, 37, 38, 39]
    assert list(dict.fromkeys(each.group for each in shown)) == [
        "The lowest scores",
        "Scores in the middle",
        "The highest scores",
    ]
    assert shown[0].said == "mean IoU 2.5 %"
    named = chosen_images(replace(experiment, show=("20",)), read_dataset("tiny.toml"), rows)
    assert [(each.name, each.group, each.said) for each in named] == [("20", "", "mean IoU 50.0 %")]


# -- the whole pipeline


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs a finished experiment keeps it for the others."""
    return tmp_path_factory.mktemp("finished") / "kept"


@pytest.fixture
def finished(tiny: Path, deeplab: Callable[..., int], monkeypatch: pytest.MonkeyPatch, kept: Path) -> Experiment:
    """An experiment with a CRF that is used, up to the report, which shows no beliefs yet."""
    if not kept.exists():
        search_little(monkeypatch)
        assert deeplab("all") == 0
        path = Path("exp/crf/search.json")
        record = json.loads(path.read_text())
        path.write_text(json.dumps({**record, "baseline_mean_iou": record["best_mean_iou"] - 0.1}))
        assert deeplab("crf") == 0 and deeplab("evaluate") == 0
        shutil.copytree(tiny, kept)
    shutil.copytree(kept, tiny, dirs_exist_ok=True)
    return create.demo("tiny.toml", "exp")


def test_report_shows_the_chosen_images_and_the_beliefs(
    finished: Experiment, deeplab: Callable[..., int], capsys
) -> None:
    assert deeplab("report", "--show", "i7") == 0
    page = Path("exp/report/index.html").read_text()
    assert 'alt="i7: photo"' in page and 'alt="i6: photo"' not in page
    assert "belief after 10 iterations" in page and Path("exp/report/beliefs.png").is_file()
    assert "list &#39;val&#39; of 2 images; weights train_iter_4.caffemodel (stage 1)" in page
    capsys.readouterr()
    assert deeplab("report", "--show", "i7") == 0
    assert "already done" in capsys.readouterr().out
    assert deeplab("report") == 0
    page = Path("exp/report/index.html").read_text()
    assert 'alt="i6: photo"' in page and "<h3>All images, the lowest score first</h3>" in page
    rows = json.loads(Path("exp/evaluation.json").read_text())["per_image"]["after"]
    assert re.findall('alt="(i.): photo"', page) == [r["id"] for r in sorted(rows, key=lambda row: row["mean_iou"])]
    for words in ("numpy", "Python", "processor", "the list &#39;heldout&#39;. These were set aside"):
        assert words in page
    assert deeplab("all", "--show", "i77") == 2
    assert "did you mean 'i7'?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "demo", "--show", "i7"])


def test_report_of_a_list_without_labels(finished: Experiment) -> None:
    finished.dataset().lists["val"].write_text("/images/i6.png\n/images/i7.png\n")
    Path("exp/evaluation.json").unlink()
    report(finished)
    page = Path("exp/report/index.html").read_text()
    assert "The list &#39;val&#39; has no labels, so there are no scores." in page and "after CRF" in page
    assert "Scores of each class" not in page and "i6: label" not in page and not Path("exp/report/iou.png").exists()


def test_a_stage_that_an_experiment_skips_holds_up_none(finished: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("exp/stages/evaluate.json").unlink()
    with pytest.raises(InputError, match="stage evaluate is not finished"):
        pipeline.check_ready(finished, "report")
    without = replace(pipeline.STAGES["evaluate"], skipped=lambda experiment: "the list has no labels")
    monkeypatch.setitem(pipeline.STAGES, "evaluate", without)
    pipeline.check_ready(finished, "report")


def test_trimap_of_the_evaluation_is_shown(finished: Experiment) -> None:
    path = Path("exp/evaluation.json")
    shares = {"pixel_accuracy": 0.5, "mean_accuracy": 0.5, "pixels": 9}
    rows = [{"width": w, "mean_iou": w / 100, **shares} for w in (1, 3, 10)]
    better = [{**row, "mean_iou": row["mean_iou"] + 0.1} for row in rows]
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "trimap": {"from": "ignore", "before": rows, "after": better}}))
    report(finished)
    page = Path("exp/report/index.html").read_text().partition("Near the borders of objects")[2]
    assert "11.0" in page and "+10.0" in page and ">13.0<" not in page and Path("exp/report/trimap.svg").is_file()
    path.write_text(json.dumps({**record, "trimap": {"before": [{}]}}))
    with pytest.raises(InputError, match=r"evaluation.json: damaged; run the stage evaluate again"):
        report(finished)

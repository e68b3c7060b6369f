"""Figures and the report: what must be in them, and that the page needs nothing from outside."""

import base64
import re

import cv2
import numpy as np
import pytest

from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import (
    ClassBeliefs,
    Example,
    Report,
    Scores,
    TrainingStage,
    attention_gallery,
    bars,
    belief_gallery,
    colour_labels,
    edge_gallery,
    loss_curve,
    overlay,
    png,
    side_by_side,
    write_report,
)
from deeplab_caffe.evaluation.figures import heat, reduced

PALETTE = np.array([[0, 0, 0], [200, 10, 20], [30, 220, 40]], np.uint8)
LABEL = np.array([[0] * 20 + [1] * 20 + [255] * 5] * 30, np.uint8)
IMAGE = np.full((30, 45, 3), 90, np.uint8)
SCORES = Scores.from_matrix(np.array([[9, 1, 0], [2, 8, 0], [0, 0, 0]]))
STAGE = TrainingStage("first", np.arange(0, 50, 10), np.array([3, 2, np.nan, 1, 0.5]), np.linspace(0.1, 0, 5))


def decoded(content):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def report(**changes):
    values = {"title": "A <b> & c", "dataset": "Toy", "class_names": ["none", "cat", "dog"], "palette": PALETTE}
    return Report(**{**values, **changes})


def full_report(heat_map):
    return report(
        examples=[Example("one", IMAGE, LABEL, np.minimum(LABEL, 1), np.minimum(LABEL, 2))],
        before=SCORES,
        after=Scores.from_matrix(np.diag([5, 5, 5])),
        training=[STAGE, STAGE],
        heat_map=heat_map,
        settings={"CRF": {"bi_w": 4}},
        notes=["careful"],
        timings={"train": 125.0},
        commands=["make demo"],
    )


def test_labels_get_their_colours_and_ignored_pixels_are_hatched():
    image = colour_labels(LABEL, PALETTE)
    assert image[0, 0].tolist() == [0, 0, 0] and image[0, 20].tolist() == [200, 10, 20]
    assert set(image[LABEL == 255].ravel().tolist()) == {205, 255}
    assert (colour_labels(LABEL, PALETTE, None)[LABEL == 255] == 0).all()


def test_overlay_keeps_background_and_ignored_pixels():
    image = overlay(IMAGE, LABEL, PALETTE)
    assert (image[LABEL == 0] == 90).all() and (image[LABEL == 255] == 90).all()
    assert (image[5, 25] != 90).any() and IMAGE.max() == 90
    with pytest.raises(InputError, match=r"overlay: the image is \(30, 45\), but the labels are \(30, 44\)"):
        overlay(IMAGE, LABEL[:, 1:], PALETTE)


def test_png_keeps_the_order_of_channels():
    np.testing.assert_array_equal(decoded(png(PALETTE[None])), PALETTE[None])


def test_strip_holds_pictures_of_several_shapes():
    tall = np.full((80, 30, 3), (250, 0, 0), np.uint8)
    sheet = decoded(side_by_side([[IMAGE, IMAGE], [tall, tall]], ["a", "b"], [("cat", (0, 0, 250))] * 30, 100))
    assert (sheet == (250, 0, 0)).all(2).sum() == pytest.approx(2 * 100 * 37.5, rel=0.05)
    assert (sheet == (0, 0, 250)).all(2).sum() > 30 * 100
    with pytest.raises(InputError, match="expected at least one picture but got none"):
        side_by_side([])


@pytest.mark.parametrize("after", [None, [0.5, 0.6, 0.7]])
def test_bars_of_one_and_two_series(after):
    assert min(decoded(bars(["a", "b", "c"], [0.1, np.nan, 1], after)).shape[:2]) > 100


def test_curve_survives_nan_short_and_unequal_series():
    empty = TrainingStage("empty", np.array([], int), np.array([]), np.array([]))
    short = TrainingStage("short", np.array([0, 1]), np.array([1.0, 2]), np.array([]))
    assert decoded(loss_curve([STAGE, empty, short])).any()


def test_page_is_complete_and_self_contained(tmp_path):
    heat_map = tmp_path / "map.png"
    heat_map.write_bytes(png(IMAGE))
    files = write_report(full_report(heat_map), tmp_path / "out" / "index.html")
    assert [f.name for f in files] == ["index.html", "examples.png", "iou.png", "loss.png", "search.png"]
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == sorted(f.name for f in files)
    page = files[0].read_text()
    assert not re.findall(r'(?:src|href)="(?!data:image/(?:png|jpeg);base64,)', page)
    assert "http" not in page and "url(" not in page
    for words in ("A &lt;b&gt; &amp; c", "+26.1 by the CRF, from 73.9", "2 min 05 s", "careful", "bi_w", "make demo"):
        assert words in page
    for uri in re.findall(r"base64,([^\"]+)", page):
        assert decoded(base64.b64decode(uri)).size


def test_empty_sections_are_left_out(tmp_path):
    files = write_report(report(), tmp_path / "index.html")
    assert [f.name for f in files] == ["index.html"]
    assert "<h2>" not in files[0].read_text()


def test_scores_without_crf_have_one_column(tmp_path):
    page = write_report(report(before=SCORES), tmp_path / "index.html")[0].read_text()
    assert "after CRF" not in page and "by the CRF" not in page and "73.9" in page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"examples": [Example("x", IMAGE, LABEL, LABEL[1:])]}, r"example 'x': prediction is \(29, 45\)"),
        ({"before": Scores.from_matrix(np.eye(4, dtype=int))}, "4 scores for 3 classes"),
        ({"palette": PALETTE[:2]}, "2 colours for 3 classes"),
        ({"heat_map": "nowhere.png"}, r"nowhere\.png: cannot read the heat map"),
    ],
)
def test_faults_are_named_before_anything_is_written(tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        write_report(report(**changes), tmp_path / "index.html")
    assert not list(tmp_path.iterdir())


# -- what the net and the CRF do

RAMP = np.linspace(0, 1, 45, dtype=np.float32) * np.ones((30, 1), np.float32)


def beliefs(**changes):
    margins = [RAMP - 0.5, 4 * (RAMP - 0.5)]
    values = {
        "iterations": (0, 10),
        "beliefs": [RAMP, RAMP**2],
        "margins": margins,
        "labels": colour_labels(LABEL, PALETTE),
    }
    return ClassBeliefs(**{"name": "one", "class_name": "cat", "image": IMAGE, **values, **changes})


def galleries():
    weights = np.stack([RAMP, 1 - RAMP])
    return [
        attention_gallery([("one", IMAGE, weights)], ["1", "1/2"]),
        edge_gallery([("one", IMAGE, RAMP, IMAGE)], learnt=True),
        belief_gallery([beliefs()]),
    ]


def test_heat_reaches_the_ends_of_its_colours_and_no_further():
    image = heat(np.array([[-5, 0, 0.5, 1, 9, np.nan]]), 0, 1, "gray")
    assert image[0, :, 1].tolist() == [0, 0, 128, 255, 255, 0]


def test_attention_has_a_map_for_each_scale_in_common_colours():
    ((name, pictures),) = galleries()[0].rows
    assert name == "one" and [heading for heading, _ in pictures] == ["image", "scale 1", "scale 1/2"]
    np.testing.assert_array_equal(pictures[1][1][:, 0], pictures[2][1][:, -1])  # 0 looks the same in both
    with pytest.raises(ValueError):
        attention_gallery([("one", IMAGE, np.zeros((3, 30, 45)))], ["1", "1/2"])


def test_edges_are_dark_on_white_and_flat_ones_are_drawn_too():
    _, pictures = galleries()[1].rows[0]
    assert pictures[1][1][0, 0].tolist() == [255] * 3 and pictures[1][1][0, -1].tolist() == [0] * 3
    assert "EdgeNet" in galleries()[1].text and "gradients" in edge_gallery([("one", IMAGE, RAMP, IMAGE)], False).text
    flat = edge_gallery([("one", IMAGE, np.ones((30, 45)), IMAGE)], learnt=True)
    assert (flat.rows[0][1][1][1] == 255).all()


def test_beliefs_share_the_colours_of_their_scores():
    gallery = galleries()[2]
    (_, scores), (name, shares) = gallery.rows
    assert name == "one: cat" and gallery.headings == ["", "before the CRF", "after 10 iterations"]
    assert [heading for heading, _ in shares] == ["result", "belief before the CRF", "belief after 10 iterations"]
    weak, strong = scores[1][1], scores[2][1]  # red where the class wins, the more the stronger
    assert int(strong[0, -1, 1]) < int(weak[0, -1, 1]) and strong[0, -1, 0] > strong[0, -1, 2]
    assert strong[0, 0, 2] > strong[0, 0, 0]
    flat = belief_gallery([beliefs(margins=[np.zeros((30, 45))] * 2)])  # a net that has learnt nothing
    assert len(flat.rows) == 2 and belief_gallery([]).rows == []


def test_galleries_are_in_the_page_and_beside_it_and_old_ones_go(tmp_path):
    page = report(examples=[Example("one", IMAGE, LABEL, LABEL)], galleries=galleries())
    files = write_report(page, tmp_path / "index.html")
    assert [f.name for f in files] == ["index.html", "examples.png", "attention.png", "edges.png", "beliefs.png"]
    text = files[0].read_text()
    for words in ("Attention to scale", "scale 1/2", "EdgeNet", "belief after 10 iterations", "one: cat"):
        assert words in text
    assert text.count("<img") == 3 + 3 + 3 + 2 * 3
    write_report(report(), tmp_path / "index.html")
    assert [f.name for f in tmp_path.iterdir()] == ["index.html"]


def test_large_pictures_are_reduced_and_small_ones_are_not():
    assert reduced(np.zeros((1024, 2048, 3), np.uint8), 640).shape == (320, 640, 3)
    assert reduced(IMAGE, 640) is IMAGE


def test_images_without_labels_and_scores(tmp_path):
    page = report(examples=[Example("one", IMAGE, None, LABEL, LABEL)], tested="list 'test' of 1 image; weights w")
    text = write_report(page, tmp_path / "index.html")[0].read_text()
    assert text.count("<img") == 3 and "one: label" not in text and "list &#39;test&#39; of 1 image" in text
    assert "%</small>" not in text


def test_published_scores_and_bands_along_boundaries(tmp_path):
    (tmp_path / "curve.png").write_bytes(png(IMAGE))
    page = report(
        before=SCORES,
        published=["67.64 (v1, Table 1)"],
        trimap=tmp_path / "curve.png",
        bands=[(2, 0.305, 0.4), (40, 0.6, 0.65)],
    )
    files = write_report(page, tmp_path / "out" / "index.html")
    text = files[0].read_text()
    assert [f.name for f in files] == ["index.html", "iou.png", "trimap.png"]
    for words in ("67.64 (v1, Table 1)", "Along boundaries", "30.5", "+9.5", "+5.0"):
        assert words in text
    alone = write_report(report(before=SCORES, bands=[(2, 0.305, None)]), tmp_path / "index.html")[0].read_text()
    assert "30.5" in alone and "change" not in alone

"""Figures and the report: what must be in them, and that the page needs nothing from outside."""

import base64
import re
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from matplotlib.axes import Axes

from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import (
    AccuracyStage,
    BandScore,
    Chart,
    ClassBeliefs,
    Example,
    ImageScore,
    Report,
    Scores,
    TrainingStage,
    accuracy_curves,
    attention_gallery,
    bars,
    belief_gallery,
    colour_labels,
    confusion_picture,
    edge_gallery,
    loss_curve,
    lowest_first,
    overlay,
    png,
    side_by_side,
    write_report,
)
from deeplab_caffe.evaluation.figures import heat, reduced, reduced_labels, see_through
from deeplab_caffe.evaluation.plot_style import fewer_points

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
    assert min(decoded(bars(["a", "b", "c"], [0.1, np.nan, 1], after).png).shape[:2]) > 100


def test_curve_survives_nan_short_and_unequal_series():
    empty = TrainingStage("empty", np.array([], int), np.array([]), np.array([]))
    short = TrainingStage("short", np.array([0, 1]), np.array([1.0, 2]), np.array([]))
    assert decoded(loss_curve([STAGE, empty, short]).png).any()


def test_page_is_complete_and_self_contained(tmp_path):
    files = write_report(full_report(Chart(png(IMAGE), b"<svg/>")), tmp_path / "out" / "index.html")
    charts = [f"{name}.{kind}" for name in ("iou", "loss", "search") for kind in ("png", "svg")]
    assert [f.name for f in files] == ["index.html", "examples.png", *charts]
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == sorted(f.name for f in files)
    page = files[0].read_text()
    assert not re.findall(r'(?:src|href)="(?!data:image/(?:png|jpeg|svg\+xml);base64,)', page)
    assert "http" not in page and "url(" not in page
    for words in ("A &lt;b&gt; &amp; c", "+26.1 by the CRF, from 73.9", "2 min 05 s", "careful", "bi_w", "make demo"):
        assert words in page
    for kind, uri in re.findall(r"data:image/([a-z+]+);base64,([^\"]+)", page):
        content = base64.b64decode(uri)
        assert ElementTree.fromstring(content).tag.endswith("svg") if kind == "svg+xml" else decoded(content).size


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
    assert text.count("<img") == 3 + 3 + 3 + 2 * 3 and 'alt="one: label"' in text
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
    page = report(
        before=SCORES,
        published=["67.64 (v1, Table 1)"],
        trimap={"before CRF": [BandScore(2, 0.305, 0.5, 0.5, 9), BandScore(40, 0.6, 0.7, 0.7, 99)]},
        bands=[(2, 0.305, 0.4), (40, 0.6, 0.65)],
    )
    files = write_report(page, tmp_path / "out" / "index.html")
    text = files[0].read_text()
    assert [f.name for f in files] == ["index.html", "iou.png", "iou.svg", "trimap.png", "trimap.svg"]
    for words in ("67.64 (v1, Table 1)", "Near the borders of objects", "30.5", "+9.5", "+5.0"):
        assert words in text
    alone = write_report(report(before=SCORES, bands=[(2, 0.305, None)]), tmp_path / "index.html")[0].read_text()
    assert "30.5" in alone and "change" not in alone


# -- what a reader can do with the page


def test_images_stand_side_by_side_without_a_script_and_can_be_compared_with_it(tmp_path):
    groups = [Example(name, IMAGE, LABEL, LABEL, LABEL, "mean IoU 50.0 %", group) for name, group in ("aa", "bb", "cb")]
    page = write_report(report(examples=groups), tmp_path / "index.html")[0].read_text()
    assert re.findall(r"<h3>(.*)</h3>", page) == ["a", "b"] and page.count('class="shown"') == 3
    shown = re.findall(r'data-kind="(\w+)" data-heading="([\w ]+)"><img src="data', page)
    assert shown[:4] == [("photo", "photo"), ("labels", "label"), ("labels", "prediction"), ("labels", "after CRF")]
    assert re.findall(r"<option( selected)?>([\w ]+)<", page)[2:4] == [(" selected", "prediction"), ("", "after CRF")]
    assert "<script>" in page and '<form class="toolbar" hidden>' in page
    assert "<script>" not in write_report(report(), tmp_path / "index.html")[0].read_text()


def test_the_background_lets_the_photo_through():
    small = cv2.imdecode(np.frombuffer(see_through(colour_labels(LABEL, PALETTE)), np.uint8), cv2.IMREAD_UNCHANGED)
    assert (small[..., 3] == np.where(LABEL == 0, 0, 255)).all()
    np.testing.assert_array_equal(small[..., 2::-1], colour_labels(LABEL, PALETTE))
    assert set(np.unique(reduced_labels(np.tile(LABEL, (9, 9)), 50, 50))) == {0, 1, 255}


def image_scores(count, gain=0.0):
    return [ImageScore(f"i{k}", 9, 0, 1 - k / count + gain, 0.5, 0.5) for k in range(count)]


def test_scores_of_many_images_make_a_short_table_and_a_whole_file(tmp_path):
    rows = lowest_first(image_scores(10_000), image_scores(10_000, -0.001))
    assert rows[0].id == "i9999" and rows[-1].id == "i0"
    files = write_report(report(before=SCORES, after=SCORES, images=rows), tmp_path / "index.html")
    page = files[0].read_text()
    table = page.partition("<details>")[2].partition("</details>")[0]
    assert table.count("<tr>") == 201 and "<td>i9999</td>" in table and "<td>i9799</td>" not in table
    assert "The 200 lowest of 10,000" in page and len(page) < 300_000
    lines = (tmp_path / "images.csv").read_text().splitlines()
    assert len(lines) == 10_001 and lines[-1] == "i0,1.0,0.999,0.5,9"


def test_an_image_without_a_score_comes_last():
    nothing = ImageScore("none", 0, 9, np.nan, np.nan, np.nan)
    rows = lowest_first([nothing, *image_scores(2)])
    assert [row.id for row in rows] == ["i1", "i0", "none"] and rows[-1].text() == "no pixel of it is scored"
    assert rows[0].text() == "mean IoU 50.0 %"
    assert lowest_first(image_scores(1), image_scores(1, -0.25))[0].text() == "mean IoU 75.0 %, before the CRF 100.0 %"


def test_the_most_frequent_mistakes_are_named(tmp_path):
    matrix = np.array([[90, 10, 0], [30, 30, 0], [0, 0, 0]])
    page = write_report(report(before=SCORES, confusion=matrix), tmp_path / "index.html")[0].read_text()
    row = page.partition("The most frequent mistakes")[2].partition("<tr><td>")[2].partition("</tr>")[0]
    assert re.findall(r">?([\w.]+)</td>", row) == ["cat", "none", "50.00", "75.0"]


@pytest.mark.parametrize("count", [3, 150])
def test_a_confusion_matrix_names_all_classes_as_text(count):
    names = [f"class{k}" for k in range(count)]
    drawn = confusion_picture(np.eye(count, dtype=int), names)
    text = drawn.svg.decode()
    assert all(text.count(f">{name}<") == 2 for name in names) and len(text) < 200_000
    assert confusion_picture(np.eye(count, dtype=int), names).svg == drawn.svg


def test_long_curves_keep_their_peaks():
    values = np.sin(np.arange(100_000.0))
    values[12_345], values[5] = 9, np.nan
    x, y = fewer_points(np.arange(100_000), values, 1000)
    assert len(x) <= 1000 and np.nanmax(y) == 9 and 12_345 in x and (np.diff(x) > 0).all()


def test_accuracies_of_stages_are_drawn(tmp_path):
    at = np.arange(0, 50_000)
    series = {"pixel_accuracy": (at, at / 50_000), "mean_iou": (at[:0], at[:0] / 1)}
    few = {"mean_iou": (np.array([10, 20]), np.array([0.25, 0.5]))}
    stages = [AccuracyStage("train", series, few), AccuracyStage("train2", few)]
    text = accuracy_curves(stages).svg.decode()
    for words in ("train, training", "train, validation", "train2, training", "mean IoU, %"):
        assert words in text
    assert len(text) < 200_000 and "mean accuracy" not in text
    page = write_report(report(accuracy=stages), tmp_path / "index.html")[0].read_text()
    assert "How the training went" in page and "Lines with points" in page


def test_the_next_stage_begins_where_the_loss_of_the_one_before_ends(monkeypatch):
    lines = []
    monkeypatch.setattr(Axes, "axvline", lambda axes, x, **style: lines.append(x))
    at = np.array([0, 10])
    stages = [AccuracyStage(name, {"mean_iou": (at, at / 10)}, end=20) for name in ("train", "train2", "train3")]
    accuracy_curves(stages)
    assert lines == [20, 40]  # the last row of a table has a loss, but no accuracy


def test_iterations_are_whole_numbers():
    series = np.array([0, 20]), np.ones(2)
    assert "7.5" not in accuracy_curves([AccuracyStage("train", {"mean_iou": series})]).svg.decode()


def test_what_it_was_made_with_and_how_the_parameters_were_chosen(tmp_path):
    made = {"made_with": {"torch": "2.1"}, "timings": {"train": 9}, "finished": {"train": "1 May"}}
    page = report(**made, search=["On 20 of 24.", "Run `a < b`."])
    text = write_report(page, tmp_path / "index.html")[0].read_text()
    assert "Run <code>a &lt; b</code>." in text
    for words in ("torch", "2.1", "1 May", "On 20 of 24.", "How the CRF&#39;s parameters were chosen"):
        assert words in text.replace("CRF's", "CRF&#39;s")

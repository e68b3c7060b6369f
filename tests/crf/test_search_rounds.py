"""The rounds of a search: screening, widening where the best is at an end, the gain's interval, what is said of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from deeplab_caffe.crf import crf_labels, resize_scores
from deeplab_caffe.crf.search import (
    PAPERS,
    ArrayItem,
    ScoredSetting,
    SearchOptions,
    SearchResult,
    SearchSpace,
    Setting,
    coarse_to_fine,
)
from deeplab_caffe.errors import InputError
from deeplab_caffe.evaluation import Scores, confusion_matrix, gain_interval

FIXED = {"fine_w1": "0", "fine_sigma_alpha": "0", "fine_sigma_beta": "0", "iterations": 6}
SPACE = SearchSpace(w1="3:5", sigma_alpha="10:10:30", sigma_beta="3:5", **FIXED)
QUIET = SearchOptions(quiet=True)
WIDE = SearchOptions(quiet=True, widen=True)


@pytest.fixture(scope="module")
def plant(scene):
    """A function: items whose labels are what the CRF makes of the scores at a setting."""

    def planted(setting, count=2):
        items = []
        for seed in range(count):
            image, scores, _ = scene(seed)
            size = image.shape[:2]
            label = crf_labels(image, -resize_scores(scores, size), SPACE.parameters(setting))
            items.append(ArrayItem(image, scores, label, size))
        return items

    return planted


@pytest.mark.parametrize("screen", ["iterations", "half"])
def test_screening_scores_its_best_in_full(plant, screen):
    items = plant(Setting(4, 20, 4))
    full = coarse_to_fine(items, 4, SPACE, QUIET)
    found = coarse_to_fine(items, 4, SPACE, dataclasses.replace(QUIET, screen=screen))
    screened = [row for row in found.rows if row.round == "screen"]
    scored = {row.mean_iou for row in found.rows if row.round == "coarse"}
    assert len(screened) == 27 and len([row for row in found.rows if row.round == "coarse"]) == 5
    assert scored <= {row.mean_iou for row in full.rows}
    assert found.best_mean_iou == max(scored)
    if screen == "iterations":
        assert found.best == full.best


def test_screening_is_kept_apart_in_the_journal(plant, tmp_path):
    items, path = plant(Setting(4, 20, 4), 1), tmp_path / "search.journal"
    screened = dataclasses.replace(QUIET, screen="half")
    expected = [coarse_to_fine(items, 4, SPACE, options) for options in (QUIET, screened)]
    again = [coarse_to_fine(items, 4, SPACE, options, journal=path) for options in (screened, QUIET, screened)]
    assert again == [expected[1], expected[0], expected[1]]


def test_a_search_is_widened_until_the_best_is_not_at_an_end(plant, tmp_path):
    items = plant(Setting(4, 20, 8))
    space = dataclasses.replace(SPACE, w1=4, sigma_beta="4:2:6")
    short = coarse_to_fine(items, 4, space, QUIET)
    assert "sigma_beta" in short.at_edge and "--widen" in short.summary() and short.widening() == ""
    found = coarse_to_fine(items, 4, space, WIDE)
    assert found.best.sigma_beta == 8 and found.best_mean_iou == 1
    assert found.at_edge == () and "Note" not in found.summary()
    settings = [row for row in found.rows if row.round == "wider"]
    assert f"sigma_beta from 4 to 10): {len(settings)} further settings." in found.widening()
    assert {row.w1 for row in settings} == {4} and len(settings) <= 2 * 26
    path = tmp_path / "journal"
    assert [coarse_to_fine(items, 4, space, WIDE, journal=path) for _ in range(2)] == [found, found]
    found.save(tmp_path / "search.json")
    assert SearchResult.load(tmp_path / "search.json") == found


def test_a_search_whose_best_lies_inside_is_the_papers(plant):
    items = plant(Setting(4, 20, 4))
    found = coarse_to_fine(items, 4, SPACE, WIDE)
    assert dataclasses.replace(found, widened=None) == coarse_to_fine(items, 4, SPACE, QUIET)
    assert found.widened == 0 and found.widening() == ""


def test_the_fine_round_is_widened_where_a_range_has_one_value(plant):
    space = dataclasses.replace(SPACE, w1=4, sigma_alpha=20, sigma_beta=6, fine_sigma_beta="-0.5:0.5:0.5")
    found = coarse_to_fine(plant(Setting(4, 20, 7)), 4, space, WIDE)
    assert found.best.sigma_beta == 7 and found.at_edge == () and found.widened == 2
    assert found.widening().endswith("at an end of what was searched in the fine round.")


def test_widening_ends_after_some_rounds_and_says_so(plant, monkeypatch):
    monkeypatch.setattr("deeplab_caffe.crf.search.grid_search.MOST_ROUNDS", 1)
    space = dataclasses.replace(SPACE, w1=4, sigma_alpha=20, sigma_beta="2:3")
    found = coarse_to_fine(plant(Setting(4, 20, 8)), 4, space, WIDE)
    assert found.widened == 1 and found.best.sigma_beta == 4 and found.at_edge == ("sigma_beta",)
    assert "Note: the best still lies on the edge of what was searched (sigma_beta)" in found.summary()


def test_screened_settings_are_not_scored_again_by_widening(plant):
    items = plant(Setting(4, 20, 4))
    found = coarse_to_fine(items, 4, SPACE, dataclasses.replace(WIDE, screen="iterations"))
    assert found.widened == 0 and found.best == SPACE.parameters(Setting(4, 20, 4))


def test_the_neighbours_of_a_best_go_one_step_beyond_the_ends():
    space = SearchSpace(w1="1:2", sigma_alpha=40, sigma_beta="2:3")
    low = space.around(Setting(1, 40, 2), space.coarse())
    assert {s.w1 for s in low} == {0.5, 1, 2} and {s.sigma_beta for s in low} == {1, 2, 3}
    assert {s.sigma_alpha for s in low} == {40}
    high = space.around(Setting(2, 40, 3), space.coarse())
    assert {s.w1 for s in high} == {1, 2, 3} and {s.sigma_beta for s in high} == {2, 3, 4}
    far = SearchSpace(w1="39:40", sigma_alpha="298:2:300", sigma_beta="1:2")
    assert far.around(Setting(40, 300, 1), far.coarse()) == far.coarse()  # as far as a search goes by itself
    middle = SearchSpace()
    assert len(middle.around(Setting(4, 50, 4), middle.coarse())) == 27


def test_the_papers_ranges():
    assert len(SearchSpace(**PAPERS["v1"]).coarse()) == 2 * 6 * 8
    assert SearchSpace(**PAPERS["v2"]) == SearchSpace()


def test_senseless_options_are_refused():
    with pytest.raises(InputError, match="screen is 'quick', wanted one of none, iterations, half"):
        SearchOptions(screen="quick")


def test_the_interval_is_that_of_resampled_images():
    rng = np.random.default_rng(1)
    before = [np.diag(rng.integers(50, 60, 3)) + 10 for _ in range(8)]
    after = [matrix + np.diag([9, 9, 9]) for matrix in before]
    gain = Scores.from_matrix(sum(after)).mean_iou - Scores.from_matrix(sum(before)).mean_iou
    low, high = gain_interval(before, after)
    assert low < gain < high and high - low < 0.01
    assert gain_interval(before, before) == (0, 0)
    assert gain_interval(before[:1], after[:1]) is None


def test_resampled_means_count_a_class_that_is_only_predicted_as_0():
    matrices = [np.diag([5, 0]), np.array([[3, 2], [0, 0]])]
    low, high = gain_interval([np.diag([5, 0])] * 2, matrices)
    assert low == pytest.approx((3 / 5 + 0) / 2 - 1)
    assert high == pytest.approx(0)


def test_the_mean_of_a_search_is_that_of_evaluate():
    label = np.zeros((8, 8), np.int64)
    scores = np.zeros((3, 8, 8), np.float32)
    scores[0], scores[1, 2:, 2:], scores[2, 0, 0] = 1, 2, 2  # class 2 is only predicted, and the CRF removes it
    item = ArrayItem(np.zeros((8, 8, 3), np.uint8), scores, np.where(np.arange(8) < 2, label, 1), None)
    found = coarse_to_fine([item], 3, SearchSpace(w1="3", sigma_alpha="10", sigma_beta="5"), SearchOptions(quiet=True))
    assert found.classes_before[2] == 0 and found.classes_after[2] is None
    before = Scores.from_matrix(confusion_matrix(item.label, scores.argmax(0), 3))
    assert found.baseline_mean_iou == pytest.approx(before.mean_iou) == pytest.approx(np.mean(found.classes_before))
    assert found.best_mean_iou == pytest.approx(np.mean(found.classes_after[:2]))
    assert "the mean without CRF is over 3 classes, also c" in found.class_table("abc")


FOUND = SearchResult(
    (ScoredSetting("coarse", 3, 10, 3, 0.62),),
    SPACE.parameters(Setting(3, 10, 3)),
    *(0.62, 0.6, 5, (), (0.01, 0.03), (0.5, None), (0.6, None)),
)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({}, "The CRF helps: mean IoU 60.00 % without it, 62.00 % with the best setting (+2.00); 95 % interval over"),
        ({"gain_interval": (-0.01, 0.03)}, "images -1.00 to +3.00, so it could be chance: search on more images."),
        ({"gain_interval": None, "images": 1}, "The CRF helps on this image: mean IoU 60.00 %"),
        ({"best_mean_iou": 0.59}, "The CRF does not help: mean IoU 60.00 % without it, 59.00 % with the best setting"),
        ({"best_mean_iou": 0.59, "gain_interval": (-0.03, 0.01)}, "-3.00 to +1.00; leave the CRF out."),
        ({"best_mean_iou": 0.59, "at_edge": ("w1",)}, "; search beyond the edges or leave the CRF out."),
    ],
)
def test_the_verdict_is_one_sentence(change, sentence):
    verdict = dataclasses.replace(FOUND, **change).verdict()
    assert sentence in verdict and "\n" not in verdict


def test_the_summary_counts_what_was_scored_and_what_was_screened():
    assert FOUND.summary().startswith("5 images, 1 setting\n")
    screened = [ScoredSetting("screen", w1, 10, 3, 0.6) for w1 in (1, 2, 3)]
    summary = dataclasses.replace(FOUND, rows=(*screened, *FOUND.rows), images=1).summary()
    assert summary.startswith("1 image, 1 setting in full, the coarse ones chosen among 3 by screening\n")
    assert "Note" not in summary
    edge = dataclasses.replace(FOUND, at_edge=("w1", "sigma_beta")).summary()
    assert "edge of the range searched (w1, sigma_beta)" in edge and "--widen" in edge


def test_the_table_of_classes_leaves_out_what_does_not_occur():
    first, *table = FOUND.class_table(["sky", "road"]).splitlines()
    assert first.startswith("IoU in %; the mean is over the classes that occur in the labels or the predictions")
    changed = dataclasses.replace(FOUND, classes_after=(0.6, 0.0)).class_table(["sky", "road"]).splitlines()
    assert changed[1] == "the mean with CRF is over 2 classes, also road"
    assert table[1].split() == ["sky", "50.00", "60.00", "+10.00"]
    assert table[2].split() == ["road", "-", "-", "-"]

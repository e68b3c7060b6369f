"""The coarse-to-fine search: grids, planted bests, going on after a kill, files, picture."""

from __future__ import annotations

import csv
import dataclasses
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.crf import CRFParameters, crf_labels, resize_scores
from deeplab_caffe.crf.search import (
    ArrayItem,
    FileItem,
    SearchOptions,
    SearchResult,
    SearchSpace,
    Setting,
    choose_evenly,
    coarse_to_fine,
    heat_map,
    parse_range,
)
from deeplab_caffe.errors import InputError

SPACE = SearchSpace(w1="3:5", sigma_alpha="10:10:30", sigma_beta="3:5", fine_sigma_alpha="-4:2:4", iterations=5)
CLASSES = 4
QUIET = SearchOptions(quiet=True)


@pytest.fixture(scope="module")
def plant(scene):
    """A function: items whose labels are what the CRF makes of the scores at the given parameters."""

    def planted(parameters, count=3):
        for seed in range(count):
            image, scores, _ = scene(seed)
            size = image.shape[:2]
            yield ArrayItem(image, scores, crf_labels(image, -resize_scores(scores, size), parameters), size)

    return lambda *args: list(planted(*args))


@pytest.fixture(scope="module")
def items(plant):
    return plant(SPACE.parameters(Setting(4, 18, 4.5)))


@pytest.fixture(scope="module")
def result(items):
    return coarse_to_fine(items, CLASSES, SPACE, QUIET)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3:6", (3, 4, 5, 6)),
        ("30:10:100", (30, 40, 50, 60, 70, 80, 90, 100)),
        ("-0.2:0.1:0.1", (-0.2, -0.1, 0, 0.1)),
        ("6:-2:1", (6, 4, 2)),
        ("7", (7,)),
        ("3, 4.5", (3, 4.5)),
        ([3, 4], (3, 4)),
        (5, (5,)),
    ],
)
def test_ranges_read_as_in_matlab(text, values):
    assert parse_range(text) == values


@pytest.mark.parametrize("text", ["3:1", "3:0:6", "a:b", "1:2:3:4", "nan", [1, "x"]])
def test_bad_ranges_are_refused(text):
    with pytest.raises(InputError, match="CRF search: .*range"):
        parse_range(text)


@pytest.mark.parametrize("change", [{"w1": "0:3"}, {"sigma_alpha": ""}, {"sigma_beta": -1}, {"sigma_gamma": 0}])
def test_spaces_out_of_range_are_refused(change):
    with pytest.raises(InputError, match="w1|sigma"):
        SearchSpace(**change)


def test_grids_have_the_papers_size():
    space = SearchSpace()
    assert len(space.coarse()) == len(set(space.coarse())) == 128
    fine = space.fine(Setting(4, 60, 5))
    assert len(fine) == 81
    assert {s.sigma_alpha for s in fine} == {52, 54, 56, 58, 60, 62, 64, 66, 68}
    assert {(s.w1, s.sigma_beta) for s in fine} == {(w, b) for w in (3.5, 4, 4.5) for b in (4.5, 5, 5.5)}
    assert space.parameters(fine[0]) == CRFParameters(3.5, 52, 4.5, w2=3, sigma_gamma=3, iterations=10)


def test_fine_grid_stays_above_zero():
    fine = SearchSpace().fine(Setting(0.5, 4, 0.3))
    assert min(min(setting) for setting in fine) > 0
    assert Setting(0.5, 4, 0.3) in fine


def test_images_are_chosen_evenly():
    assert choose_evenly(range(10), 4) == [0, 2, 5, 7]
    assert choose_evenly("abc", 100) == ["a", "b", "c"]


def test_search_finds_what_was_planted_on_the_coarse_grid(plant):
    planted = Setting(4, 20, 5)
    found = coarse_to_fine(plant(SPACE.parameters(planted), 2), CLASSES, SPACE, QUIET)
    assert found.best == SPACE.parameters(planted)
    assert found.best_mean_iou == 1
    assert found.at_edge == ()  # the fine round looked beyond
    coarse = dataclasses.replace(SPACE, fine_sigma_beta=())
    assert coarse_to_fine(plant(SPACE.parameters(planted), 2), CLASSES, coarse, QUIET).at_edge == ("sigma_beta",)


def test_search_refines_to_what_was_planted_between(result):
    assert result.best == SPACE.parameters(Setting(4, 18, 4.5))
    assert result.best_mean_iou == 1 > max(row.mean_iou for row in result.rows if row.round == "coarse")
    assert len([row for row in result.rows if row.round == "coarse"]) == 27
    assert result.helps and 0 < result.baseline_mean_iou < 1
    assert result.images == 3


def test_a_crf_that_does_not_help_is_said_to(plant):
    softmax = plant(CRFParameters(1, 10, 3, iterations=0), 1)
    found = coarse_to_fine(softmax, CLASSES, SearchSpace(w1=3, sigma_alpha=10, sigma_beta=5), QUIET)
    assert found.baseline_mean_iou == 1
    assert not found.helps
    assert "leave the CRF out" in found.summary()


def test_a_search_goes_on_where_it_was_killed(items, result, tmp_path, capsys):
    path = tmp_path / "search.journal"
    assert coarse_to_fine(items, CLASSES, SPACE, QUIET, journal=path) == result
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    damaged = lines[9].replace(b"[", b"{")
    path.write_bytes(b"".join([*lines[:9], damaged, *lines[10:30]]) + lines[30][:20])
    assert coarse_to_fine(items, CLASSES, SPACE, QUIET, journal=path) == result
    assert "1 of 29 lines are damaged; their images are evaluated again" in capsys.readouterr().err
    assert set(path.read_bytes().splitlines()) == {*whole.splitlines(), damaged[:-1]}


def test_a_finished_journal_is_read_not_counted_again(items, result, tmp_path, monkeypatch):
    path = tmp_path / "search.journal"
    coarse_to_fine(items, CLASSES, SPACE, QUIET, journal=path)
    monkeypatch.setattr(ArrayItem, "load", lambda item: pytest.fail("counted again"))
    assert coarse_to_fine(items, CLASSES, SPACE, QUIET, journal=path) == result


def test_a_journal_of_other_inputs_or_settings_is_not_used(items, tmp_path):
    path = tmp_path / "search.journal"
    space = SearchSpace(w1=4, sigma_alpha=20, sigma_beta=4, fine_w1="", fine_sigma_alpha="", fine_sigma_beta="")
    coarse_to_fine(items, CLASSES, space, QUIET, journal=path)
    others = [dataclasses.replace(items[0], label=items[0].label[::-1].copy()), *items[1:]]
    shorter = dataclasses.replace(space, iterations=1)
    for changed, changed_space in ((others, space), (items, shorter)):
        fresh = coarse_to_fine(changed, CLASSES, changed_space, QUIET)
        assert coarse_to_fine(changed, CLASSES, changed_space, QUIET, journal=path) == fresh


def test_a_file_that_is_no_journal_is_refused_and_kept(items, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with pytest.raises(InputError, match="notes.txt: not the journal of a CRF search"):
        coarse_to_fine(items, CLASSES, SPACE, QUIET, journal=path)
    assert path.read_text() == "hello\n"


def test_files_threads_and_processes_give_the_same_result(items, tmp_path, capsys):
    space = SearchSpace(w1="3:4", sigma_alpha="10:10:20", sigma_beta=4, iterations=3, fine_sigma_alpha="0:2:2")
    expected = coarse_to_fine(items, CLASSES, space, QUIET)
    files = []
    for number, item in enumerate(items):
        image, scores, label = (tmp_path / f"{number}{end}" for end in (".png", ".npy", "_label.png"))
        cv2.imwrite(str(image), cv2.cvtColor(item.image, cv2.COLOR_RGB2BGR))
        np.save(scores, item.scores)
        cv2.imwrite(str(label), item.label)
        files.append(FileItem(str(image), str(scores), str(label), item.size))
    assert coarse_to_fine(files, CLASSES, space, SearchOptions(workers=2, processes=True, quiet=True)) == expected
    assert coarse_to_fine(files, CLASSES, space, SearchOptions(workers=2)) == expected
    assert "CRF search, coarse: 12 of 12 steps" in capsys.readouterr().err


def test_pictures_are_not_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((16, 32, 3), np.uint8)).save(tmp_path / "a.jpg", exif=exif)
    np.save(tmp_path / "a.npy", np.zeros((2, 16, 32), np.float32))
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((16, 32), np.uint8))
    item = FileItem(*(str(tmp_path / f"a{end}") for end in (".jpg", ".npy", ".png")))
    assert item.load().image.shape == (16, 32, 3)


INTERRUPTED = """
import signal
import sys
import numpy as np
from deeplab_caffe.crf.search import ArrayItem, SearchOptions, SearchSpace, coarse_to_fine

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
    rng = np.random.default_rng(0)
    items = [
        ArrayItem(rng.integers(0, 256, (99, 99, 3)), rng.normal(size=(9, 99, 99)), rng.integers(0, 9, (99, 99)), None)
        for _ in range(50)
    ]
    OPTIONS = SearchOptions(workers=2, processes=sys.argv[1] == "processes")
    coarse_to_fine(items, 9, SearchSpace(), OPTIONS, journal=sys.argv[2])
"""


@pytest.mark.skipif(os.name != "posix", reason="signals to a group of processes")
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_ctrl_c_ends_the_search_once_and_keeps_what_was_counted(tmp_path, kind):
    script, state = tmp_path / "search.py", tmp_path / "search.journal"
    script.write_text(INTERRUPTED)
    command = [sys.executable, str(script), kind, str(state)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while not (state.exists() and state.stat().st_size > 100) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        message = process.communicate(timeout=60)[1]
    assert process.returncode == -signal.SIGINT
    assert message.count("Traceback") == 1 and message.endswith("KeyboardInterrupt\n")
    assert state.read_bytes().endswith(b"\n")


def test_result_files_round_trip(result, tmp_path):
    result.save(tmp_path / "result.json")
    assert SearchResult.load(tmp_path / "result.json") == result
    result.save_csv(tmp_path / "result.csv")
    with open(tmp_path / "result.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1 + len(result.rows)
    assert max(float(row["mean_iou"]) for row in rows) == result.best_mean_iou
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(InputError, match=r"bad.json: not the result of a CRF search"):
        SearchResult.load(tmp_path / "bad.json")
    (tmp_path / "bad.json").write_text("4")
    with pytest.raises(InputError, match=r"bad.json: not the result of a CRF search: expected a JSON object, got int"):
        SearchResult.load(tmp_path / "bad.json")


def test_heat_map_marks_the_best(result, tmp_path):
    heat_map(result, tmp_path / "map.png")
    picture = cv2.imread(str(tmp_path / "map.png"))
    assert min(picture.shape[:2]) > 400
    frame = (np.abs(picture.astype(int) - (40, 39, 214)) < 12).all(axis=2)
    assert 100 < frame.sum() < 2000
    with pytest.raises(InputError, match="no settings to draw"):
        heat_map(dataclasses.replace(result, rows=()), tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_the_colour_scale_shows_the_scores_without_crf(result, tmp_path):
    path, values = tmp_path / "map.png", [row.mean_iou for row in result.rows]
    shown = []
    for baseline in (min(values) - 0.1, (min(values) + max(values)) / 2):
        heat_map(dataclasses.replace(result, baseline_mean_iou=baseline), path)
        picture = cv2.imread(str(path)).astype(int)[:, -100:]
        shown.append(int((np.abs(picture - (40, 39, 214)) < 12).all(axis=2).sum()))
    assert shown[0] == 0 < shown[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": np.zeros((3, 3), np.uint8)}, r"the image is 40 x 52 \(H x W\) and the label \(3, 3\)"),
        (
            {"size": (20, 52)},
            r"the input of the net is 20 x 52 .*smaller than the image, 40 x 52; state the size .* with --size",
        ),
        ({"scores": np.zeros((CLASSES, 10, 13), np.float32), "size": None}, "the score map is 10 x 13 .*--size image"),
        ({"scores": np.zeros((CLASSES, 4), np.float32)}, r"scores have shape \(4, 4\)"),
        ({"scores": np.zeros((3, 10, 13), np.float32)}, "arrays: scores of 3 classes, but the data set has 4"),
        ({"label": np.full((40, 52), 7, np.uint8), "name": "own"}, "own: .*label values are 7 to 7, 2080 of 2080"),
    ],
)
def test_items_that_do_not_fit_are_refused(items, change, message):
    with pytest.raises(InputError, match=message):
        coarse_to_fine([dataclasses.replace(items[0], **change)], CLASSES, SPACE, QUIET)


def test_files_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="b.jpg: cannot read the file: No such file"):
        coarse_to_fine([FileItem(str(tmp_path / "b.jpg"), str(path), str(path))], CLASSES, SPACE, QUIET)
    with pytest.raises(InputError, match="a.npy: cannot read the image"):
        FileItem(str(path), str(path), str(path)).load()


def test_empty_or_senseless_searches_are_refused(items):
    with pytest.raises(InputError, match="no images"):
        coarse_to_fine([], CLASSES, SPACE)
    with pytest.raises(InputError, match="workers is 0"):
        coarse_to_fine(items, CLASSES, SPACE, SearchOptions(workers=0))

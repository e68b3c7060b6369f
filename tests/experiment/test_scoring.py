"""`deeplab score` and `deeplab compare` on folders of files, and the stage `evaluate` with a trimap."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe import cli
from deeplab_caffe.data import read_label, voc_palette, write_label
from deeplab_caffe.data.labels import write_grey_label
from small_search import search_little

ROOT = Path(__file__).parents[2]
#: where CamVid may be; it is not in the repository
CAMVID = next(
    (p for p in (ROOT / "data/camvid", ROOT.parent / "shared/camvid") if (p / "list/val_id.txt").is_file()), None
)
CLASSES = ["ground", "red", "blue", "green"]


def distorted(label: np.ndarray, random: np.random.Generator, classes: int) -> np.ndarray:
    """A result: the label at a third of its size, with a patch of another class, and classes where it has none."""
    result = np.where(label == 255, random.integers(classes), label).astype(np.uint8)
    height, width = label.shape
    small = cv2.resize(result, (width // 3, height // 3), interpolation=cv2.INTER_NEAREST)
    result = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    result[: height // 6] = random.integers(classes)
    return result


def plain_scores(pairs: list[tuple[np.ndarray, np.ndarray]], classes: int) -> dict[str, float | np.ndarray]:
    """What `score.json` should say, by comparing masks class by class."""
    labels = np.concatenate([label.ravel() for label, _ in pairs])
    results = np.concatenate([result.ravel() for _, result in pairs])
    labels, results = labels[labels != 255], results[labels != 255]
    ious, recalls, weighted = [], [], 0.0
    for k in range(classes):
        both, either = ((labels == k) & (results == k)).sum(), ((labels == k) | (results == k)).sum()
        ious.append(both / either if either else np.nan)
        recalls.append(both / (labels == k).sum() if (labels == k).any() else np.nan)
        weighted += (labels == k).mean() * (ious[-1] if either else 0)
    confusion = [[int(((labels == i) & (results == j)).sum()) for j in range(classes)] for i in range(classes)]
    return {
        "mean_iou": np.nanmean(ious),
        "pixel_accuracy": (labels == results).mean(),
        "mean_accuracy": np.nanmean(recalls),
        "frequency_weighted_iou": weighted,
        "per_class_iou": np.array(ious),
        "confusion": np.array(confusion),
    }


def check(record: dict, expected: dict) -> None:
    for name in ("mean_iou", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou"):
        assert record[name] == pytest.approx(expected[name], abs=1e-12), name
    ious = [np.nan if value is None else value for value in record["per_class_iou"].values()]
    np.testing.assert_allclose(ious, expected["per_class_iou"], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(record["confusion"], expected["confusion"])


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six images with labels, the results of two tools (palette and grey), and lists; one class never occurs."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(5)
    for folder in ("labels", "images", "a", "b"):
        Path(folder).mkdir()
    for i in range(6):
        label = np.zeros((36, 48), np.uint8)
        label[6:24, 4 * i : 4 * i + 20] = 255
        label[8:22, 4 * i + 2 : 4 * i + 18] = 1 + i % 2
        write_label(f"labels/i{i}.png", label)
        write_label(f"a/i{i}.png", distorted(label, random, 3))
        better = np.where(label == 255, 0, label)
        better[:2] = i % 3
        write_grey_label(f"b/i{i}.png", better)
        cv2.imwrite(f"images/i{i}.jpg", voc_palette()[label])
    Path("id.txt").write_text("".join(f"i{i}\n" for i in range(6)))
    Path("pairs.txt").write_text("".join(f"/images/i{i}.jpg /labels/i{i}.png\n" for i in range(6)))
    Path("toy.toml").write_text(f'name = "toy"\nclasses = {CLASSES}\n[lists]\nval = "pairs.txt"\n')
    return tmp_path


def score(*words: str, results: str = "a", listed: str = "id.txt") -> int:
    labels = [] if "--labels" in words or listed != "id.txt" else ["--labels", "labels"]
    return cli.main(["score", "--results", results, *labels, "--list", listed, "--data", "toy.toml", *words])


# -- deeplab score


@pytest.mark.parametrize("results", ["a", "b"])
def test_score_is_what_plain_numpy_computes(toy: Path, results: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert score("-o", "out", "--trimap", "1:5", results=results) == 0
    record = json.loads(Path("out/score.json").read_text())
    pairs = [(read_label(f"labels/i{i}.png"), read_label(f"{results}/i{i}.png")) for i in range(6)]
    check(record, plain_scores(pairs, 4))
    assert record["per_class_iou"]["green"] is None and list(record["per_class_iou"]) == CLASSES
    assert [row["width"] for row in record["trimap"]] == [1, 2, 3, 4, 5] and record["trimap_from"] == "ignore"
    shown = capsys.readouterr().out
    assert f"{100 * record['mean_iou']:.2f}" in shown and "the mask of the ignore label dilated" in shown
    names = {path.name for path in Path("out").iterdir()}
    assert {"score.json", "score.txt", "classes.csv", "images.csv", "confusion.csv", "confusion.png"} <= names
    assert {"trimap.csv", "trimap.png", "trimap.svg"} <= names and sum("trimap_i" in name for name in names) == 1
    with open("out/images.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [f"i{i}" for i in range(6)]
    one = plain_scores(pairs[3:4], 4)
    assert float(rows[3]["mean_iou"]) == pytest.approx(one["mean_iou"])
    assert float(rows[3]["mean_accuracy"]) == pytest.approx(one["mean_accuracy"])


def test_lists_of_ids_pairs_and_names_give_the_same(toy: Path) -> None:
    for listed, out in (("id.txt", "1"), ("pairs.txt", "2"), ("val", "3")):
        assert score("-o", out, listed=listed) == 0
    first, *others = [json.loads(Path(out, "score.json").read_text()) for out in "123"]
    for other in others:
        assert other["confusion"] == first["confusion"]


def test_files_are_found_whichever_way_they_are_named(toy: Path) -> None:
    """Relative folders in ids, the names of labels that differ from those of images, and ids with dots."""
    for i in range(6):
        for folder, name in (("labels2", f"city{i % 2}/i{i}_gt.png"), ("flat", f"i{i}_photo.png")):
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(f"labels/i{i}.png" if folder == "labels2" else f"b/i{i}.png", Path(folder, name))
        Path("nested", f"city{i % 2}").mkdir(parents=True, exist_ok=True)
        shutil.copy(f"b/i{i}.png", f"nested/city{i % 2}/i{i}_photo.png")
        for folder in ("b", "labels"):
            shutil.copy(f"{folder}/i{i}.png", f"{folder}/v1.0.i{i}.png")
    lines = [f"/photos/val/city{i % 2}/i{i}_photo.jpg /gt/val/city{i % 2}/i{i}_gt.png\n" for i in range(6)]
    Path("cities.txt").write_text("".join(lines))
    Path("relative.txt").write_text("".join(f"city{i % 2}/i{i}_photo\n" for i in range(6)))
    Path("dots.txt").write_text("".join(f"v1.0.i{i}\n" for i in range(6)))
    assert score("-o", "0", results="b") == 0
    for number, (results, labels, listed) in enumerate(
        [("flat", "labels2", "cities.txt"), ("nested", "labels2", "cities.txt"), ("nested", "nested", "relative.txt")],
        1,
    ):
        assert score("-o", str(number), "--labels", labels, results=results, listed=listed) == 0
    assert score("-o", "4", "--labels", "labels", results="b", listed="dots.txt") == 0
    found = [json.loads(Path(str(number), "score.json").read_text()) for number in range(5)]
    assert all(record["confusion"] == found[0]["confusion"] for record in (found[1], found[2], found[4]))
    assert found[3]["mean_iou"] == 1  # the results against themselves


def in_colours(path: str) -> None:
    """The palette's colours in place of indices."""
    Image.fromarray(voc_palette()[read_label(path)]).save(path)


def in_16_bits(path: str) -> None:
    Image.fromarray(read_label(path).astype(np.uint16)).save(path)


def in_three_channels(path: str) -> None:
    Image.fromarray(np.repeat(read_label(path)[..., None], 3, axis=2)).save(path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda: Path("a/i3.png").unlink(),
            r"1 of 6 results missing:\n  a/i3\.png\na: expected a PNG file for each",
        ),
        (lambda: Path("labels/i1.png").unlink(), r"1 of 6 labels missing:\n  labels/i1\.png"),
        (lambda: write_label("a/i2.png", np.zeros((9, 8), np.uint8)), r"a/i2\.png: 8×9 .*labels/i2\.png is 48×36"),
        (lambda: write_label("a/i2.png", np.full((36, 48), 7)), r"a/i2\.png: value 7 in \d+ of the \d+ pixels.*0\.\.3"),
        (lambda: write_label("labels/i4.png", np.full((36, 48), 9)), r"labels/i4\.png: label value 9 in 1728 of 1728"),
        (lambda: Path("a/i5.png").write_bytes(b"no image"), r"a/i5\.png: not an image file"),
        (
            lambda: in_colours("a/i0.png"),
            r"a/i0\.png: a colour image with the palette's colours.*convert-labels",
        ),
        (lambda: in_colours("labels/i0.png"), r"labels/i0\.png: a colour image with the palette's colours"),
        (lambda: in_three_channels("a/i0.png"), r"a/i0\.png: a colour image whose three channels are equal"),
        (lambda: in_16_bits("a/i0.png"), r"a/i0\.png: .*a 16-bit PNG.*save them with 8 bits"),
        (lambda: Path("id.txt").write_text("i1\ni1\n"), r"id\.txt:2: duplicate image name 'i1'"),
        (lambda: Path("id.txt").unlink(), r"'id\.txt': no such file, and no list of toy\.toml; known are:? val"),
    ],
)
def test_what_cannot_be_scored_is_named_and_nothing_is_written(
    toy: Path, spoil: Callable[[], object], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil()
    assert score("-o", "out", "--labels", "labels") == 2
    error = capsys.readouterr().err
    assert re.search(words, error), error
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trimap-from", "boundaries"], "--trimap-from: use it with --trimap"),
        (["--trimap", "0:4"], "1 to 100 widths of 1 to 10000 pixels but got 5 from 0 to 4"),
        (["--trimap", "1:4", "--show-trimap", "i9", "-o", "out"], r"no image 'i9'"),
        (["--show-trimap", "i1"], "--show-trimap: use it with --trimap"),
        (["-o", "a"], "-o a: is also --results"),
        (["--labels", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_flags_that_cannot_be_meant_are_refused(
    toy: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(*words) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not Path("out").exists()


def test_labels_that_say_nothing_are_warned_of_or_refused(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(6):
        write_label(f"labels/i{i}.png", np.ones((36, 48), np.uint8))
    assert score() == 0
    assert "is 1 'red': scores on this list say nothing" in capsys.readouterr().err
    for i in range(6):
        write_label(f"labels/i{i}.png", np.full((36, 48), 255))
    assert score() == 2
    assert "there is nothing to score" in capsys.readouterr().err


def test_the_trimap_of_named_images_is_drawn(toy: Path) -> None:
    words = ["--trimap", "2,10", "--trimap-from", "boundaries", "--show-trimap", "i1", "--show-trimap", "i4"]
    assert score(*words, "--images", "images", "-o", "out") == 0
    pictures = sorted(path.name for path in Path("out").glob("trimap_*.png"))
    assert pictures == ["trimap_i1.png", "trimap_i4.png"]
    record = json.loads(Path("out/score.json").read_text())
    assert record["trimap_from"] == "boundaries" and "the label's own boundaries" in record["trimap_bands"]


def test_a_trimap_of_an_earlier_call_is_removed(toy: Path) -> None:
    assert score("--trimap", "1", "--trimap-from", "boundaries", "-o", "out") == 0
    Path("out/notes.txt").write_text("mine")
    assert score("-o", "out") == 0
    assert sorted(path.name for path in Path("out").glob("*.[cstn]*") if "trimap." in path.name) == []
    assert Path("out/notes.txt").is_file() and "trimap" not in json.loads(Path("out/score.json").read_text())
    words = ["compare", "a", "b", "--list", "val", "--data", "toy.toml"]
    assert cli.main([*words, "--trimap", "1", "--trimap-from", "boundaries"]) == 0
    assert Path("compare/trimap.csv").is_file()
    assert cli.main(words) == 0
    assert not list(Path("compare").glob("trimap.*"))


@pytest.mark.skipif(CAMVID is None, reason="CamVid is not here")
def test_score_on_camvid_is_what_plain_numpy_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CAMVID is not None
    monkeypatch.chdir(tmp_path)
    random, pairs = np.random.default_rng(1), []
    ids = (CAMVID / "list/val_id.txt").read_text().split()[::6]
    for name in ids:
        label = read_label(CAMVID / f"SegmentationClass/{name}.png")
        pairs.append((label, distorted(label, random, 11)))
        write_label(f"results/{name}.png", pairs[-1][1])
    Path("id.txt").write_text("\n".join(ids) + "\n")
    words = ["--labels", str(CAMVID / "SegmentationClass"), "--list", "id.txt", "--trimap", "1:40", "-o", "out"]
    assert cli.main(["score", "--results", "results", "--data", str(ROOT / "datasets/camvid.toml"), *words]) == 0
    check(json.loads(Path("out/score.json").read_text()), plain_scores(pairs, 11))


# -- deeplab compare


def test_compare_writes_a_page_that_needs_nothing_else(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--list", "pairs.txt", "--data", "toy.toml", "--trimap", "1:4", "--show", "2", "-o", "out"]
    assert cli.main(["compare", "first=a", "b", *words]) == 0
    shown = capsys.readouterr().out
    assert "b against first: mean IoU +" in shown and "better on 6 and worse on 0 of 6 images" in shown
    page = Path("out/index.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:image/(?:png|jpeg|svg\+xml);base64,)', page)
    assert page.count('class="shown"') == 4 and "Where b is worse" not in page
    assert "data:image/jpeg" in page and "Near the borders of objects" in page
    assert page.count('<span class="best">') >= 4 and "What was done differently" not in page
    summary = page.partition("<h2>Scores</h2>")[2].partition("</table>")[0]
    assert re.findall(r'number"><span( class="best")?>', summary)[:2] == ["", ' class="best"']
    record = json.loads(Path("out/compare.json").read_text())
    assert [result["name"] for result in record["results"]] == ["first", "b"]
    difference = record["differences"][0]["mean_iou"]
    low, high = difference["interval"]
    gain = record["results"][1]["mean_iou"] - record["results"][0]["mean_iou"]
    assert difference["difference"] == pytest.approx(gain) and 0 < low < gain < high
    assert record["differences"][0]["per_class_iou"]["green"] == {"difference": None, "interval": None}
    assert len(Path("out/images.csv").read_text().splitlines()) == 7
    assert len(Path("out/trimap.csv").read_text().splitlines()) == 1 + 2 * 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "--list", "id.txt"], "a: one result; expected two or more"),
        (["a", "nowhere"], "nowhere: no such folder"),
        (["a", "voc12/largefow"], "voc12/largefow: no such folder; expected one of results (PNG) or of an experiment"),
        (["a", "voc_largefov"], "there is no folder exper/voc12/largefov; run `deeplab all voc_largefov` first"),
        (["a", "a", "--list", "val"], "a'; give them names"),
        (["x=a", "x=b", "--list", "id.txt"], "two results are named 'x'"),
        (["a", "b"], "missing --list LIST"),
        (
            ["a", "b", "--list", "id.txt", "--labels", "labels", "--show", "99"],
            "--examples: expected 0 to 50 images but got 99",
        ),
        (["a", "b", "--list", "val", "-o", "b"], "-o b: holds files to compare"),
    ],
)
def test_comparisons_that_cannot_be_made_are_refused(
    toy: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", *words, "--data", "toy.toml"]) == 2
    assert message in capsys.readouterr().err
    assert not Path("compare").exists()


@pytest.fixture
def evaluated(toy: Path) -> Path:
    """The folder of an experiment as `evaluate` leaves it: a before the CRF, b after it."""
    record = {"list": "val", "dataset_file": "toy.toml", "before": {"mean_iou": 0.5}, "after": {"mean_iou": 0.6}}
    Path("exp").mkdir()
    Path("exp/evaluation.json").write_text(json.dumps(record))
    shutil.copytree("a", "exp/result/val")
    shutil.copytree("b", "exp/result_crf/val")
    return toy


def test_experiments_say_their_list_and_data_set(evaluated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", "exp", "-o", "one"]) == 0
    assert "after CRF against before CRF: mean IoU +" in capsys.readouterr().out
    assert cli.main(["compare", "a", "exp", "-o", "two"]) == 0
    assert "exp against a: mean IoU +" in capsys.readouterr().out
    assert cli.main(["compare", "exp/result/val", "exp/result_crf/val", "-o", "three"]) == 0
    assert "result_crf/val against result/val: mean IoU +" in capsys.readouterr().out


def test_experiments_by_name(evaluated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("largefov", "aspp_l"):
        shutil.copytree("exp", f"exper/voc12/{name}")
    assert cli.main(["compare", "voc12/largefov", "voc_aspp_l", "-o", "page"]) == 0
    assert "voc12/aspp_l against voc12/largefov: mean IoU +0.00 points" in capsys.readouterr().out
    assert cli.main(["compare", "voc12/largefov", "ours=voc12/aspp_l", "-o", "page"]) == 0
    assert "ours against voc12/largefov" in capsys.readouterr().out
    Path("exper/voc12/aspp_l/evaluation.json").unlink()
    Path("exper/voc12/aspp_l/stages").mkdir()
    assert cli.main(["compare", "exp", "voc12/aspp_l"]) == 2
    assert "exper/voc12/aspp_l: an experiment that was not evaluated; run the stage" in capsys.readouterr().err


def test_experiments_on_other_images_or_classes_are_refused(
    evaluated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree("exp", "other")
    Path("few.txt").write_text("".join(Path("pairs.txt").read_text().splitlines(keepends=True)[:3]))
    toml = Path("toy.toml").read_text()
    for changed, message in (
        (toml.replace("pairs.txt", "few.txt"), "were evaluated on different lists"),
        (toml.replace("green", "grey"), "have different classes"),
    ):
        Path("other/dataset.toml").write_text(changed.replace('"toy"', '"toy"\nroot = ".."', 1))
        assert cli.main(["compare", "exp", "other"]) == 2
        assert message in capsys.readouterr().err
    for damaged, message in (("{", "damaged"), ("[]", "damaged"), ('{"list": 3, "before": {}}', "damaged")):
        Path("other/evaluation.json").write_text(damaged)
        assert cli.main(["compare", "exp", "other"]) == 2
        assert message in capsys.readouterr().err


def test_a_list_without_labels_needs_a_folder_of_them(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["score", "--results", "a", "--list", "id.txt", "--data", "toy.toml"]) == 2
    assert "id.txt:1: the list names no label; say where the ground truth is with --labels" in capsys.readouterr().err


# -- the stage evaluate


def test_an_experiment_keeps_its_trimap_and_can_be_compared(
    tiny: Path, deeplab: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    search_little(monkeypatch)
    assert deeplab("all", "--quick") == 0
    assert "trimap" not in json.loads(Path("exp/evaluation.json").read_text())
    assert deeplab("evaluate", "--trimap", "1:3") == 0
    record = json.loads(Path("exp/evaluation.json").read_text())
    assert [row["width"] for row in record["trimap"]["before"]] == [1, 2, 3]
    assert [row["id"] for row in record["per_image"]["before"]] == ["i6", "i7"]
    assert Path("exp/trimap.svg").is_file()
    capsys.readouterr()
    assert deeplab("evaluate") == 0  # as before, without saying it again
    assert "already done" in (shown := capsys.readouterr().out) and "trimap, in %" in shown
    assert deeplab("evaluate", "--trimap", "2,4", "--trimap-from", "boundaries") == 0
    record = json.loads(Path("exp/evaluation.json").read_text())
    assert record["trimap"]["from"] == "boundaries" and len(record["trimap"]["before"]) == 2
    assert deeplab("report") == 0
    shutil.copytree("exp/result/val", "other")
    assert cli.main(["compare", "exp", "other", "-o", "compared"]) == 0
    assert "better on 0 and worse on 0 of 2 images" in capsys.readouterr().out or record["after"]
    assert deeplab("evaluate", "--trimap", "none") == 0
    assert not list(Path("exp").glob("trimap.*"))
    assert "trimap" not in json.loads(Path("exp/evaluation.json").read_text())

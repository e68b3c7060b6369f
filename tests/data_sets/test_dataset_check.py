"""`deeplab dataset check`: everything is read, it goes on after a fault, and agrees with the stage `data`."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.cli.main import main
from deeplab_caffe.data import read_dataset, read_label, voc_palette, write_label
from deeplab_caffe.data.checking import KINDS, check_dataset, count_labels
from deeplab_caffe.data.cityscapes import CLASSES as CITYSCAPES
from deeplab_caffe.data.labels import write_grey_label
from deeplab_caffe.errors import InputError
from deeplab_caffe.experiment.check_lists import check_list

CLASSES = ["ground", "red", "blue"]
SIZE = (12, 16)


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A data set of four images in train and two in val, in the working folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for number in range(6):
        label = np.zeros(SIZE, np.uint8)
        label[2:6, 3:9], label[8:11, 4:8], label[0] = 1, 2, 255
        write_label(f"l{number}.png", label)
        cv2.imwrite(f"i{number}.png", random.integers(0, 256, (*SIZE, 3), np.uint8))
    lines = [f"/i{n}.png /l{n}.png\n" for n in range(6)]
    Path("train.txt").write_text("".join(lines[:4]))
    Path("val.txt").write_text("".join(lines[4:]))
    Path("toy.toml").write_text(
        f'name = "toy"\ntitle = "Toy"\nroot = "."\nclasses = {json.dumps(CLASSES)}\n'
        '[lists]\ntrain = "train.txt"\nval = "val.txt"\ntest = "test.txt"\n'
    )
    return tmp_path


def table(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def found() -> dict[str, list[str]]:
    """The findings of a check: kind → places."""
    findings = check_dataset(read_dataset("toy.toml")).findings
    return {kind: [one.list_file for one in findings.examples[kind]] for kind in findings.kinds()}


def test_numbers_are_those_of_the_labels(toy, capsys):
    assert main(["dataset", "check", "toy.toml", "-o", "out"]) == 0
    shown = capsys.readouterr().out
    report = json.loads(Path("out/check.json").read_text())
    assert set(report["lists"]) == {"train", "val"} and report["errors"] == report["warnings"] == 0
    train = report["lists"]["train"]
    assert (train["lines"], train["images"], train["labels"]) == (4, 4, 4)
    assert train["width"] == {"min": 16, "median": 16, "max": 16} and train["height"]["max"] == 12
    assert train["classes_per_image"] == {"mean": 3, "max": 3, "images": {"3": 4}}
    assert train["pixels"] == 4 * 192 and train["ignored_pixels"] == 4 * 16
    assert train["classes"]["red"] == {"pixels": 96, "share": 0.125, "images": 4, "frequency": 0.125}
    assert report["findings"]["missing-list"]["count"] == 1
    labels = np.stack([read_label(f"l{n}.png") for n in range(4)])
    rows = table("out/classes.csv")
    assert [int(row["pixels"]) for row in rows[:3]] == [int((labels == c).sum()) for c in range(3)]
    weights = json.loads(Path("out/weights/train_median-frequency.json").read_text())
    assert weights == pytest.approx({"ground": 24 / 140, "red": 1, "blue": 2})
    images = table("out/images.csv")
    assert len(images) == 6 and images[0]["classes"] == "ground;red;blue" and float(images[0]["ignored"]) == 16 / 192
    picture = cv2.imread("out/classes.png")
    assert picture is not None and picture.shape[0] > 100
    assert "1 red" in shown and "12.5 %" in shown and "no errors, no warnings" in shown


def _grey_16_bits(path: str) -> None:
    cv2.imwrite(path, np.arange(192, dtype=np.uint16).reshape(SIZE) * 300)


def _rgb_16_bits(path: str) -> None:
    cv2.imwrite(path, np.arange(576, dtype=np.uint16).reshape(*SIZE, 3) * 100)


def _with_alpha(path: str) -> None:
    cv2.imwrite(path, np.arange(768, dtype=np.uint16).reshape(*SIZE, 4).astype(np.uint8))


def _cmyk(path: str) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*SIZE, 4), np.uint8), "CMYK").save(path, "JPEG")


def _turned(path: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(path).save(path, exif=exif)


def _truncated(path: str) -> None:
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[: len(data) // 2])


def _black(path: str) -> None:
    cv2.imwrite(path, np.zeros((*SIZE, 3), np.uint8))


def _smaller(path: str) -> None:
    cv2.imwrite(path, np.arange(360, dtype=np.uint16).reshape(10, 12, 3).astype(np.uint8))


IMAGES: dict[str, tuple[Callable[[str], None], set[str]]] = {
    "grey of 16 bits": (_grey_16_bits, {"grey", "16-bit"}),
    "colour of 16 bits": (_rgb_16_bits, {"16-bit"}),
    "alpha": (_with_alpha, {"alpha"}),
    "CMYK": (_cmyk, {"cmyk"}),
    "turned": (_turned, {"not-upright"}),
    "truncated": (_truncated, {"damaged-image"}),
    "black": (_black, {"one-colour"}),
    "smaller": (_smaller, {"size"}),
    "no image": (lambda path: Path(path).write_text("no image"), {"damaged-image"}),
    "missing": (lambda path: Path(path).unlink(), {"missing-image"}),
}


@pytest.mark.parametrize("name", IMAGES)
def test_unusual_images(name, toy, capsys):
    change, kinds = IMAGES[name]
    change("i1.png")
    places = found()
    assert set(places) - {"missing-list"} == kinds
    assert all(places[kind] == ["train.txt:2"] for kind in kinds)
    is_error = any(KINDS[kind].severity == "error" for kind in kinds)
    assert main(["dataset", "check", "toy.toml"]) == (2 if is_error else 0)
    assert "i1.png" in capsys.readouterr().out


def _colours(path: str) -> None:
    Image.open(path).convert("RGB").save(path)


def _jpeg(path: str) -> None:
    Image.open(path).convert("L").save(path, "JPEG")


def _value(path: str) -> None:
    write_label(path, np.full(SIZE, 7, np.uint8))


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (_colours, "colour-label", "deeplab dataset convert-labels FOLDER -o NEW_FOLDER --data TOML"),
        (_jpeg, "damaged-label", "whose compression changes values"),
        (_value, "value", "label value 7 in 192 of 192 pixels; expected 0..2 or the ignore label (255)"),
        (_truncated, "damaged-label", "l5.png"),
        (lambda path: Path(path).unlink(), "missing-label", "l5.png: there is no such file"),
    ],
)
def test_labels_that_do_not_fit(change, kind, words, toy, capsys):
    change("l5.png")
    assert {k: v for k, v in found().items() if k != "missing-list"} == {kind: ["val.txt:2"]}
    assert main(["dataset", "check", "toy.toml"]) == 2
    assert words in capsys.readouterr().out
    dataset = read_dataset("toy.toml")
    with pytest.raises(InputError, match="val.txt:2: .*l5.png"):  # the stage `data` says the same
        check_list(dataset, "val", dataset.entries("val"), trained=False)


def test_it_goes_on_and_counts_all(toy, capsys):
    for number in range(4):
        _value(f"l{number}.png")
    _black("i0.png")
    _truncated("i2.png")
    assert main(["dataset", "check", "toy.toml", "--examples", "2", "-o", "out"]) == 2
    shown = capsys.readouterr().out
    assert "error: labels with values that are not classes: 4" in shown and "and 2 more" in shown
    assert "train.txt:1: ./l0.png: label value 7" in shown and "train.txt:3: ./l2.png" not in shown
    assert "warning: images of a single colour: 1" in shown and "all pixels are black" in shown
    report = json.loads(Path("out/check.json").read_text())
    assert len(report["findings"]["value"]["examples"]) == 4
    kinds = [row["kind"] for row in table("out/findings.csv")]
    assert kinds.count("value") == 4 and "damaged-image" in kinds


def test_lines_that_caffe_reads_differently(toy, capsys):
    Path("train.txt").write_text("/i0.png /l0.png 1\n\n/i1.png\n/i2.png /l2.png\n/i2.png /l2.png\n")
    assert found() == {
        "blank-line": ["train.txt:2"],
        "no-label": ["train.txt:3"],
        "more-words": ["train.txt:1"],
        "repeated": ["train.txt:5"],
        "missing-list": ["test.txt"],
    }


def test_images_that_are_trained_on_and_tested(toy):
    Path("val.txt").write_text("/i5.png /l5.png\n/i3.png /l3.png\n")
    assert found()["shared-images"] == ["train.txt:4"]


def test_labels_that_teach_nothing_are_errors(toy):
    for number in range(4):
        write_label(f"l{number}.png", np.zeros(SIZE, np.uint8))
    assert "useless-labels" in found()


def test_images_larger_than_test_size(toy, capsys):
    Path("toy.toml").write_text("test_size = [9, 17]\n" + Path("toy.toml").read_text())
    assert main(["dataset", "check", "toy.toml"]) == 2
    assert (
        "list 'val' (val.txt): images are up to 12×16 (height × width), but test_size is 9×17"
        in capsys.readouterr().out
    )


def test_a_turned_image_is_a_note_where_the_data_set_says_how_to_read_it(toy):
    _turned("i1.png")
    Path("toy.toml").write_text('exif = "ignore"\n' + Path("toy.toml").read_text())
    assert found()["turned"] == ["train.txt:2"] and "not-upright" not in found()


def test_files_in_several_lists_are_read_once(toy, monkeypatch):
    Path("test.txt").write_text(Path("train.txt").read_text() + Path("val.txt").read_text())
    _black("i0.png")
    check = check_dataset(read_dataset("toy.toml"))
    assert check.findings.counts["one-colour"] == 1 and [len(c.lines) for c in check.lists] == [4, 2, 6]


def test_lists_without_labels(toy, capsys):
    Path("test.txt").write_text("/i0.png\n/i1.png\n")
    assert main(["dataset", "check", "toy.toml", "--list", "test"]) == 0
    assert "no errors, no warnings" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--list", "tain"], "no list 'tain'; did you mean 'train'?"),
        (["--list", "test"], "list 'test': "),
        (["--examples", "0"], "--examples: expected 1 or more"),
    ],
)
def test_wrong_words(words, message, toy, capsys):
    assert main(["dataset", "check", "toy.toml", *words]) == 2
    assert message in capsys.readouterr().err


def test_unknown_data_set(toy, capsys):
    assert main(["dataset", "check", "voc21"]) == 2
    assert "'voc21': there is no datasets/voc21.toml; did you mean 'voc12'?" in capsys.readouterr().err


def test_agrees_with_the_stage_data(toy):
    dataset = read_dataset("toy.toml")
    listed = check_list(dataset, "train", dataset.entries("train"), trained=True)
    checked = check_dataset(dataset).lists[0].counts(dataset)
    assert (listed.files == checked.files).all() and listed.where == checked.where
    assert (count_labels(dataset, "train").files == listed.files).all()


# -- images that stand twice


def test_images_with_some_classes_stand_twice(toy, capsys):
    for number in (0, 2):
        write_label(f"l{number}.png", np.minimum(read_label(f"l{number}.png"), 1))
    command = ["dataset", "duplicate", "toy.toml", "--list", "train", "--classes"]
    assert main([*command, "blue"]) == 0
    shown = capsys.readouterr().out
    lines = Path("train_hard.txt").read_text().split("\n")
    assert [line[:3] for line in lines] == ["/i0", "/i1", "/i1", "/i2", "/i3", "/i3", ""]
    assert (
        "4 images; blue in 2" in shown and "train_hard.txt: 6 lines" in shown and "under [lists]: train_hard" in shown
    )
    assert main([*command, "blue, red"]) == 2  # other lines
    assert "train_hard.txt: exists and has other lines" in capsys.readouterr().err
    assert main([*command, "red,blue", "--force"]) == 0
    assert len(Path("train_hard.txt").read_text().splitlines()) == 8


def test_a_check_may_write_them_as_well(toy, capsys):
    assert main(["dataset", "check", "toy.toml", "--duplicate", "blue"]) == 2
    assert "--duplicate: name the list whose images to duplicate with --list" in capsys.readouterr().err
    assert main(["dataset", "check", "toy.toml", "--list", "train", "--duplicate", "blue"]) == 0
    assert main(["dataset", "duplicate", "toy.toml", "--list", "train", "--classes", "blue", "--name", "again"]) == 0
    assert Path("train_hard.txt").read_text() == Path("again.txt").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--classes", "bleu"], "has no class 'bleu'; did you mean 'blue'?"),
        (["--classes", "blue", "--name", "train"], "is the list 'train' itself"),
        (["--classes", ","], "no classes are named"),
        (["--classes", "blue", "--name", "../x"], "'../x': expected a name for the list of letters"),
        (["--classes", "blue", "--name", "a.b"], "'a.b': expected a name for the list of letters"),
    ],
)
def test_lists_that_are_not_duplicated(words, message, toy, capsys):
    assert main(["dataset", "duplicate", "toy.toml", "--list", "train", *words]) == 2
    assert message in capsys.readouterr().err
    assert not Path("train_hard.txt").exists()


@pytest.mark.parametrize("command", [("duplicate", "--list", "train", "--classes", "red"), ("class-weights",)])
def test_labels_that_do_not_fit_are_not_counted(command, toy, capsys):
    write_label("l2.png", np.full(SIZE, 7, np.uint8))
    assert main(["dataset", command[0], "toy.toml", *command[1:]]) == 2
    assert "train.txt:3: ./l2.png: label value 7 in 192 of 192 pixels; expected 0..2" in capsys.readouterr().err


def test_train_ids_are_expected_where_weights_are_counted(toy, capsys):
    """Labels of ids that all lie below 19 count as classes that they are not."""
    Path("toy.toml").write_text(
        f'name = "toy"\nroot = "."\nclasses = {json.dumps(CITYSCAPES)}\n[lists]\ntrain = "train.txt"\n'
    )
    for number in range(4):
        write_label(f"l{number}.png", np.repeat(np.uint8([[7], [11]]), 16, 1))
    assert main(["dataset", "class-weights", "toy.toml"]) == 2
    assert "labels have Cityscapes' ids (*_labelIds.png) instead of its 19 train ids" in capsys.readouterr().err


def _numbered_anew(order: list[int]) -> None:
    """Labels whose colours are right and whose indices are the places of these classes, as some programs save them."""
    for number in range(4):
        label = read_label(f"l{number}.png")
        write_label(f"l{number}.png", np.argsort(order)[np.where(label > 2, 0, label)], voc_palette(3)[order])


def test_a_palette_in_another_order_is_said_and_converted(toy, capsys):
    right = read_label("l1.png")
    _numbered_anew([2, 0, 1])
    assert found()["palette"] == [f"train.txt:{line}" for line in range(1, 5)]
    assert main(["dataset", "check", "toy.toml"]) == 0
    shown = capsys.readouterr().out
    assert "./l0.png: 0 is 'ground', but its palette shows it in the colour of 'blue', (0, 128, 0)" in shown
    assert main(["dataset", "convert-labels", ".", "-o", "new", "--data", "toy.toml", "--unmatched", "ignore"]) == 0
    np.testing.assert_array_equal(read_label("new/l1.png"), np.where(right > 2, 0, right))


def test_palettes_of_other_colours_say_nothing(toy):
    write_label("l0.png", read_label("l0.png"), voc_palette(6)[3:])
    write_label("l1.png", read_label("l1.png"), np.array([[0, 128, 0], [1, 2, 3], [128, 0, 0]], np.uint8))
    write_grey_label("l2.png", read_label("l2.png"))
    assert "palette" not in found()


def test_cmyk_has_no_alpha(toy):
    Image.new("CMYK", (16, 12)).save("i0.png", "TIFF")
    assert "cmyk" in found() and "alpha" not in found()

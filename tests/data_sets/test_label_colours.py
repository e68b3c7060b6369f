"""Labels that show classes as colours become class indices; what has no meaning is refused or ignored."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe.cli.main import main
from deeplab_caffe.data import read_label, voc_palette, write_label
from deeplab_caffe.data.labels import write_grey_label

INDICES = np.array([[0, 1, 2, 2], [255, 0, 1, 2]], np.uint8)
COLOURS = [[0, 0, 0], [200, 10, 0], [0, 10, 200]]
IGNORED = [224, 224, 192]


@pytest.fixture
def toy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("toy.toml").write_text(f'name = "toy"\nclasses = ["ground", "red", "blue"]\npalette = {COLOURS}\n')
    return tmp_path


def rgb(indices=INDICES, ignored=IGNORED) -> np.ndarray:
    table = np.zeros((256, 3), np.uint8)
    table[:3], table[255] = COLOURS, ignored
    return table[indices]


def convert(*words: str) -> int:
    return main(["dataset", "convert-labels", "in", "-o", "out", "--data", "toy.toml", *words])


def _rgb(path):
    Image.fromarray(rgb()).save(path)


def _with_alpha(path):
    Image.fromarray(np.dstack([rgb(), np.full(INDICES.shape, 255, np.uint8)])).save(path)


def _other_palette(path):
    """Indices in another order than the classes, with unused places that mean nothing."""
    image = Image.fromarray(np.array([[7, 3, 1, 1], [9, 7, 3, 1]], np.uint8))
    palette = np.full((256, 3), 77, np.uint8)
    palette[[7, 3, 1, 9]] = [*COLOURS, IGNORED]
    image.putpalette(palette.tobytes())
    image.save(path)


def _few_bits(path):
    """A palette of four colours, which are stored in two bits."""
    image = Image.fromarray(np.array([[3, 2, 1, 1], [0, 3, 2, 1]], np.uint8))
    image.putpalette(np.array([IGNORED, COLOURS[2], COLOURS[1], COLOURS[0]], np.uint8).tobytes())
    image.save(path, bits=2)


@pytest.mark.parametrize("write", [_rgb, _with_alpha, _other_palette, _few_bits])
def test_colours_become_indices(write, toy, capsys):
    Path("in/deep").mkdir()
    write("in/deep/a.png")
    assert convert() == 0
    assert read_label("out/deep/a.png").tolist() == INDICES.tolist()
    assert Image.open("out/deep/a.png").mode == "L"
    assert "wrote 1 labels to out; 255 for the colours 224,224,192" in capsys.readouterr().out


def test_grey_files_are_colours_too(toy):
    Image.fromarray(np.zeros((2, 2), np.uint8)).save("in/a.png")  # as optimizers store an image that is black
    assert convert() == 0
    assert not read_label("out/a.png").any()


def test_black_is_ignored_where_no_class_is_black(toy, capsys):
    text = Path("toy.toml").read_text().replace("[0, 0, 0]", "[9, 9, 9]")
    Path("toy.toml").write_text(text)
    Image.fromarray(np.array([[[0, 0, 0], [9, 9, 9], [224, 224, 192]]], np.uint8)).save("in/a.png")
    assert convert() == 0
    assert read_label("out/a.png").tolist() == [[255, 0, 255]]
    assert "255 for the colours 224,224,192 and 0,0,0" in capsys.readouterr().out


def test_what_has_no_meaning_is_refused_and_nothing_is_written(toy, capsys):
    _rgb("in/a.png")
    strange = rgb()
    strange[0, :2], strange[1, 0] = [1, 2, 3], [200, 11, 0]
    Image.fromarray(strange).save("in/b.png")
    Path("out").mkdir()
    write_label("out/a.png", INDICES)
    before = Path("out/a.png").read_bytes()
    assert convert() == 2
    message = capsys.readouterr().err
    assert (
        "in: 2 colours are neither in the palette of toy.toml nor ignored: 1,2,3 (2 pixels in 1 file, in/b.png;"
        in message
    )
    assert (
        "200,11,0 (1 pixels in 1 file, in/b.png; nearest: 200,10,0 'red')" in message
        and "Nothing was written" in message
    )
    assert Path("out/a.png").read_bytes() == before and sorted(p.name for p in Path().iterdir()) == [
        "in",
        "out",
        "toy.toml",
    ]
    assert convert("--unmatched", "ignore") == 0
    assert read_label("out/b.png").tolist() == [[255, 255, 2, 2], [255, 0, 1, 2]]
    assert "they became 255" in capsys.readouterr().err
    assert convert("--ignore-colour", "1,2,3", "--ignore-colour", "200,11,0") == 2  # 224,224,192 in a.png no longer
    assert convert("--ignore-colour", "1,2,3", "--ignore-colour", "200,11,0", "--ignore-color", "224,224,192") == 0


def test_unused_places_of_a_palette_are_no_fault(toy):
    write_label("in/a.png", np.zeros((2, 2), np.uint8), voc_palette())
    assert convert() == 0


def test_smooth_edges_are_named(toy, capsys):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save("in/a.png")
    assert convert() == 2
    assert "and 992 more" in (message := capsys.readouterr().err) and "smooth edges" in message


def test_indices_are_named(toy, capsys):
    Image.fromarray(np.array([[1, 2, 255]], np.uint8)).save("in/a.png")
    assert convert() == 2
    assert "class indices already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("colours", "words", "message"),
    [
        ([[0, 0, 0], [1, 1, 1], [1, 1, 1]], (), "'red' and 'blue' both have the colour 1,1,1"),
        (COLOURS, ("--ignore-colour", "200,10,0"), "is that of the class 'red'"),
        (COLOURS, ("--ignore-colour", "200,10"), "expected R,G,B, each 0..255, but got '200,10'"),
        (COLOURS, ("--map", "1=2"), "in a second call"),
    ],
)
def test_meanings_that_contradict(colours, words, message, toy, capsys):
    Path("toy.toml").write_text(f'name = "toy"\nclasses = ["ground", "red", "blue"]\npalette = {colours}\n')
    _rgb("in/a.png")
    assert convert(*words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: Image.fromarray(rgb()).save(path, "JPEG"), "not a PNG, or damaged"),
        (lambda path: cv2.imwrite(path, np.zeros((4, 4, 3), np.uint16)), "has 16 bits per channel"),
        (lambda path: (_rgb(path), Path(path).write_bytes(Path(path).read_bytes()[:60])), "damaged label file"),
    ],
)
def test_files_that_hold_no_colours(write, message, toy, capsys):
    _rgb("in/a.png")
    write("in/b.png")
    assert convert() == 2
    assert f"in/b.png: {message}" in capsys.readouterr().err
    assert not Path("out/a.png").exists()


def test_in_place(toy):
    _rgb("in/a.png")
    assert main(["dataset", "convert-labels", "in", "-o", "in", "--data", "toy.toml"]) == 2
    assert main(["dataset", "convert-labels", "in", "--in-place", "--data", "toy.toml"]) == 0
    assert read_label("in/a.png").tolist() == INDICES.tolist() and len(list(Path("in").iterdir())) == 1


def test_suffixes_in_capitals(toy):
    _rgb("in/a.png")
    Path("in/a.png").rename("in/a.PNG")
    assert main(["dataset", "convert-labels", "in", "-o", "out", "--data", "toy.toml"]) == 0
    assert read_label("out/a.PNG").tolist() == INDICES.tolist()


def test_a_map_that_contradicts_itself(toy, capsys):
    write_label("in/a.png", np.array([[0, 1]], np.uint8))
    assert main(["dataset", "convert-labels", "in", "-o", "out", "--map", "1=2", "1=2", "1=3"]) == 2
    assert "--map: 1 has two new values, 2 and 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    "train_ids",
    [[0, 0, 1, 255], [2, 2, 10, 13]],  # with ignored pixels; without, but mostly building, sky and car
)
def test_train_ids_are_not_converted_again(train_ids, toy, capsys):
    write_grey_label("in/a.png", np.array([train_ids], np.uint8))
    command = ["dataset", "convert-labels", "in", "--in-place", "--cityscapes"]
    assert main(command) == 2
    assert "in: the labels have Cityscapes' 19 train ids already" in capsys.readouterr().err
    assert read_label("in/a.png").tolist() == [train_ids]
    write_grey_label("in/a.png", np.array([[7, 7, 11, 3]], np.uint8))
    assert main(command) == 0 and read_label("in/a.png").tolist() == [[0, 0, 2, 255]]
    assert main(command) == 2


def test_a_map_that_matches_nothing_is_said(toy, capsys):
    write_label("in/a.png", np.array([[0, 1]], np.uint8))
    for name in ("dataset convert-labels", "convert-labels"):  # the older name
        assert main([*name.split(), "in", "-o", "out", "--map", "255=1", "1=2"]) == 0
        shown = capsys.readouterr()
        assert "warning: --map 255=1 matched nothing: the labels have the values 0, 1" in shown.err
        assert "wrote 1 labels to out" in shown.out
    assert read_label("out/a.png").tolist() == [[0, 2]]
    assert main(["convert-labels", "in", "-o", "out", "--unmatched", "ignore"]) == 2

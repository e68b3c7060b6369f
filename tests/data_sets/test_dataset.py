"""Data set descriptions: defaults, places, and the message for each fault."""

from dataclasses import replace
from pathlib import Path

import pytest

from deeplab_caffe.data import Dataset, voc_palette, write_dataset, write_voc_lists
from deeplab_caffe.errors import InputError

VOC = Path(__file__).parents[2] / "datasets" / "voc12.toml"
SMALL = 'name = "toy"\nclasses = ["a", "b"]\n'


def described(folder, text):
    (folder / "toy.toml").write_text(text, encoding="utf-8")
    return folder / "toy.toml"


def test_defaults(tmp_path):
    data = Dataset.read(described(tmp_path, SMALL))
    assert (data.name, data.title, data.classes, data.ignore_label) == ("toy", "toy", ("a", "b"), 255)
    assert data.mean == (104.008, 116.669, 122.675)
    assert data.root == tmp_path and data.crop is None
    assert (data.palette == voc_palette()).all()


def test_given_values(tmp_path):
    text = SMALL + "palette = [[1, 2, 3], [4, 5, 6]]\ncrop = [33, 65]\nroot = 'x/../y'\nmean = [1, 2, 3]\n"
    data = Dataset.read(described(tmp_path, text))
    assert data.palette[:3].tolist() == [[1, 2, 3], [4, 5, 6], [0, 128, 0]]
    assert data.crop == (33, 65) and data.root == tmp_path / "y" and data.mean == (1, 2, 3)


def test_lists_are_looked_for_under_root_first_then_beside_the_file(tmp_path):
    lists = "lists = {train = 'train.txt', val = 'val.txt', test = 't.txt'}\n"
    path = described(tmp_path, SMALL + "root = 'data'\n" + lists)
    (tmp_path / "data").mkdir()
    for place in ("data/train.txt", "train.txt", "val.txt"):
        (tmp_path / place).write_text("/a.jpg /a.png\n")
    found = Dataset.read(path).lists
    assert found["train"] == tmp_path / "data/train.txt"
    assert found["val"] == tmp_path / "val.txt"
    assert found["test"] == tmp_path / "data/t.txt"
    assert Dataset.read(path).entries("val")[0].image == "/a.jpg"


def test_a_list_that_one_of_the_same_name_under_root_would_hide_is_written_so_that_it_is_found(tmp_path):
    path = described(tmp_path, SMALL + "root = 'data'\nlists = {train = 'list/train.txt'}\n")
    held_out = tmp_path / "exper" / "list" / "train.txt"
    for place in (tmp_path / "data" / "list" / "train.txt", held_out):
        place.parent.mkdir(parents=True)
        place.write_text("/a.jpg /a.png\n")
    written = tmp_path / "exper" / "dataset.toml"
    write_dataset(replace(Dataset.read(path), lists={"train": held_out}), written)
    assert Dataset.read(written).lists["train"] == held_out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = x\n", "not valid TOML: .*line 1"),
        ('name = "x"', "missing key 'classes'"),
        (SMALL + "ignore_lable = 3", "unknown key 'ignore_lable'; did you mean 'ignore_label'"),
        (SMALL + "zzz = 3", "unknown key 'zzz'; known are: name, title"),
        (SMALL + "ignore_label = 256", "ignore_label = 256; expected a number 0..255"),
        (SMALL + "mean = [1, 2]", "mean = .1, 2.; expected three numbers"),
        (SMALL + "crop = [33.5, 3]", r"crop = .*expected \[height, width\]"),
        (SMALL + "palette = [[0, 0, 0]]", "palette has 1 colours for 2 classes"),
        (SMALL + "palette = [[0, 0, 256], [0, 0, 0]]", "palette = .*each 0..255"),
        ("name = 'my set'\nclasses = ['a']", "name = 'my set'; expected letters a-z, digits"),
        ("name = '../x'\nclasses = ['a']", "name = '../x'; expected letters a-z, digits"),
        ("name = '..'\nclasses = ['a']", "name = '..'; expected letters a-z, digits"),
        (SMALL + "lists = 'a.txt'", "lists = 'a.txt'; expected a table"),
    ],
)
def test_faults_name_file_and_key(tmp_path, text, words):
    with pytest.raises(InputError, match=rf"toy\.toml: {words}"):
        Dataset.read(described(tmp_path, text))


def test_written_description_reads_back(tmp_path):
    text = (
        'name = "toy-1.0_b"\ntitle = "Straßen 🚗"\nclasses = ["Gebäude", "🌳"]\ncrop = [33, 65]\n'
        'obtain = """Fetch it.\nThen say \\"make\\"\\u007f!"""\n[lists]\n"träin" = "l.txt"\n'
    )
    (tmp_path / "other").mkdir()
    (tmp_path / "l.txt").write_text("a b\n")
    first = Dataset.read(described(tmp_path, text))
    write_dataset(first, tmp_path / "other" / "copy.toml")
    copy = Dataset.read(tmp_path / "other" / "copy.toml")
    for field in ("name", "title", "classes", "ignore_label", "mean", "crop", "test_size", "obtain", "root", "lists"):
        assert getattr(copy, field) == getattr(first, field), field
    assert copy.obtain == 'Fetch it.\nThen say "make"\x7f!' and copy.title == "Straßen 🚗"
    assert (copy.palette[:2] == first.palette[:2]).all()


def test_unknown_list_names_the_nearest():
    with pytest.raises(InputError, match="no list 'trian'; did you mean 'train'"):
        Dataset.read(VOC).list_path("trian")


def test_voc_description_and_its_message_when_absent(tmp_path):
    data = Dataset.read(VOC, root=tmp_path / "VOC2012")
    assert data.num_classes == 21 and data.classes[15] == "person"
    message = data.missing(["train_aug", "val"])
    assert message is not None
    for words in ("2012 is incomplete", str(tmp_path / "VOC2012"), "list/train_aug.txt", "deeplab dataset voc12"):
        assert words in message
    assert "trainval_aug.txt" not in message


def make_voc(root):
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    (root / "ImageSets/Segmentation/train.txt").write_text("b\na\n")
    (root / "ImageSets/Segmentation/val.txt").write_text("c\n")


def test_voc_lists_from_its_own_folders(tmp_path):
    make_voc(tmp_path)
    (tmp_path / "SegmentationClassAug").mkdir()
    for name in "abcd":
        (tmp_path / f"SegmentationClassAug/{name}.png").touch()
    write_voc_lists(tmp_path)
    data = Dataset.read(VOC, root=tmp_path)
    assert data.missing(["train", "val", "trainval", "train_aug", "trainval_aug"]) is None
    assert [e.label for e in data.entries("train")] == ["/SegmentationClass/b.png", "/SegmentationClass/a.png"]
    assert [e.image for e in data.entries("train_aug")] == [f"/JPEGImages/{i}.jpg" for i in "abd"]
    assert len(data.entries("trainval_aug")) == 4
    assert (tmp_path / "list/val_id.txt").read_text() == "c\n"
    assert not (tmp_path / "list/test.txt").exists()


def test_voc_lists_need_voc(tmp_path):
    with pytest.raises(InputError, match=r"Segmentation/train\.txt: does not exist; expected a VOC 2012 folder"):
        write_voc_lists(tmp_path)

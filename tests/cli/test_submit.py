"""`deeplab submit`: the archive that a test server takes; each fault is refused, and named."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe import cli
from deeplab_caffe.data import read_label, voc_palette, write_label
from deeplab_caffe.data.submission import SERVERS
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.archive_entries import Limits, read_entries
from deeplab_caffe.locks import locked_folder

VOC_IDS = ("2008_000001", "2008_000004", "2008_000009")
VOC_SIZES = ((20, 30), (24, 16), (20, 30))
CITY_IDS = ("berlin_000000_000019", "berlin_000001_000019")
FOLDER = "results/VOC2012/Segmentation/comp6_test_cls"


@pytest.fixture
def voc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A VOC of three test images, and the results of an experiment on them."""
    monkeypatch.chdir(tmp_path)
    classes = json.dumps([f"c{k}" for k in range(21)])
    Path("datasets").mkdir()
    Path("datasets/voc12.toml").write_text(
        f'name = "voc12"\nroot = "../voc"\nclasses = {classes}\n[lists]\ntest = "test.txt"\n'
    )
    Path("voc/JPEGImages").mkdir(parents=True)
    Path("voc/test.txt").write_text("".join(f"/JPEGImages/{name}.jpg\n" for name in VOC_IDS))
    random = np.random.default_rng(0)
    for name, size in zip(VOC_IDS, VOC_SIZES, strict=True):
        cv2.imwrite(f"voc/JPEGImages/{name}.jpg", np.zeros((*size, 3), np.uint8))
        for folder in ("result", "result_crf"):
            write_label(f"exper/voc12/largefov/{folder}/test/{name}.png", random.integers(0, 21, size))
    finish("exper/voc12/largefov")
    return Path("exper/voc12/largefov")


def finish(folder: str | Path) -> None:
    for place, record in (("result", {"weights": "train_iter_2.caffemodel"}), ("result_crf", {"used": True})):
        Path(folder, place, "test/done.json").write_text(json.dumps(record))


@pytest.fixture
def cityscapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two test images of Cityscapes, which need not be there, and results of train ids."""
    monkeypatch.chdir(tmp_path)
    classes = json.dumps([f"c{k}" for k in range(19)])
    Path("datasets").mkdir()
    for name in ("cityscapes", "cityscapes_half"):
        Path(f"datasets/{name}.toml").write_text(
            f'name = "{name}"\nroot = ".."\nclasses = {classes}\n[lists]\ntest = "test.txt"\n'
        )
    Path("test.txt").write_text("".join(f"/leftImg8bit/test/berlin/{name}_leftImg8bit.png\n" for name in CITY_IDS))
    return tmp_path


def street(size: tuple[int, int]) -> np.ndarray:
    """All 19 classes in columns."""
    return np.repeat((np.arange(size[1]) * 19 // size[1])[None], size[0], 0).astype(np.uint8)


def tgz(path: str, files: dict[str, bytes], kinds: dict[str, bytes] | None = None) -> str:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.type = len(content), (kinds or {}).get(name, tarfile.REGTYPE)
            archive.addfile(info, io.BytesIO(content))
    return path


def png(image: np.ndarray, palette: np.ndarray | None = None) -> bytes:
    picture, file = Image.fromarray(image), io.BytesIO()
    if palette is not None:
        picture.putpalette(palette.tobytes())
    picture.save(file, format="PNG")
    return file.getvalue()


def good() -> dict[str, bytes]:
    return {
        f"{FOLDER}/{name}.png": png(np.zeros(size, np.uint8), voc_palette())
        for name, size in zip(VOC_IDS, VOC_SIZES, strict=True)
    }


def submit(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = cli.main(["submit", *words])
    return code, "".join(capsys.readouterr())


# -- VOC


def test_the_archive_has_the_results_after_the_crf_and_is_accepted(voc: Path, capsys) -> None:
    code, text = submit(capsys, "voc12", "voc12/largefov")
    path = voc / "submission/voc12_comp6.tgz"
    assert code == 0 and f"wrote {path}: 3 images, comp6: trained with other data too" in text
    assert "after the CRF; weights: train_iter_2.caffemodel" in text and "ImageNet" in text
    assert "voc/test.txt has 3 images; the test list of PASCAL VOC 2012 has 1,456" in text
    with tarfile.open(path) as archive:
        assert archive.getnames() == [f"{FOLDER}/{name}.png" for name in VOC_IDS]
        for name in VOC_IDS:
            image = Image.open(io.BytesIO(archive.extractfile(f"{FOLDER}/{name}.png").read()))
            assert image.mode == "P" and image.getpalette() == voc_palette().ravel().tolist()
            np.testing.assert_array_equal(image, read_label(voc / f"result_crf/test/{name}.png"))
    record = json.loads(Path(f"{path}.json").read_text())
    assert record["weights"] == "train_iter_2.caffemodel" and record["crf"] is True and record["images"] == 3
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    code, text = submit(capsys, "voc12", "--check", str(path))
    assert code == 0 and f"{path}: accepted: 3 images, comp6" in text


def test_the_same_results_give_the_same_bytes(voc: Path, capsys) -> None:
    made = []
    for name in ("a.tgz", "b.tgz"):
        assert submit(capsys, "voc12", str(voc), "-o", name)[0] == 0
        made.append(Path(name).read_bytes())
        for path in voc.rglob("*.png"):
            os.utime(path, (1, 1))
    assert made[0] == made[1]


def test_while_a_stage_writes_there_is_nothing_to_submit(voc: Path, capsys) -> None:
    with locked_folder(voc, "busy"):
        code, text = submit(capsys, "voc12", str(voc))
    assert code == 2 and f"the experiment {voc} is in use" in text


def test_without_crf_and_competition_5(voc: Path, capsys) -> None:
    code, text = submit(capsys, "voc12", "voc_largefov", "--without-crf", "--competition", "5", "-o", "x.tar.gz")
    assert code == 0 and "before the CRF" in text and "comp5: trained on" in text and "ImageNet" not in text
    with tarfile.open("x.tar.gz") as archive:
        content = archive.extractfile(f"{FOLDER.replace('comp6', 'comp5')}/{VOC_IDS[0]}.png").read()
    np.testing.assert_array_equal(Image.open(io.BytesIO(content)), read_label(voc / f"result/test/{VOC_IDS[0]}.png"))
    assert submit(capsys, "voc12", "--check", "x.tar.gz", "--competition", "5")[0] == 0
    code, text = submit(capsys, "voc12", "--check", "x.tar.gz", "--competition", "6")
    assert code == 2 and "the folder says comp5; expected comp6" in text


def test_a_crf_that_was_not_used_and_one_that_is_out_of_date(voc: Path, capsys) -> None:
    (voc / "result_crf/test/done.json").write_text('{"used": false}')
    assert "before the CRF" in submit(capsys, "voc12", str(voc))[1]
    finish(voc)
    os.utime(voc / "result_crf/test/done.json", (1, 1))
    code, text = submit(capsys, "voc12", str(voc))
    assert code == 2 and "older than the results before the CRF" in text and "--without-crf" in text


def test_another_list_has_an_archive_of_its_own(voc: Path, capsys) -> None:
    assert submit(capsys, "voc12", str(voc))[0] == 0
    whole = (voc / "submission/voc12_comp6.tgz").read_bytes()
    toml = Path("datasets/voc12.toml")
    toml.write_text(toml.read_text() + 'few = "few.txt"\n')
    Path("voc/few.txt").write_text(f"/JPEGImages/{VOC_IDS[0]}.jpg\n")
    write_label(voc / f"result/few/{VOC_IDS[0]}.png", np.zeros(VOC_SIZES[0], np.uint8))
    (voc / "result/few/done.json").write_text('{"weights": "w"}')
    code, text = submit(capsys, "voc12", str(voc), "--list", "few")
    assert code == 0 and "submission/voc12_comp6_few.tgz: 1 images" in text
    assert (voc / "submission/voc12_comp6.tgz").read_bytes() == whole


def test_experiments_without_results(voc: Path, capsys) -> None:
    (voc / "result/test").rename(voc / "result/val")
    code, text = submit(capsys, "voc12", "voc12/largefov")
    assert code == 2 and "no results on the list 'test' (there are some on val)" in text and "--test-set test" in text
    code, text = submit(capsys, "voc12", "voc12/vgg16_largefov")
    assert code == 2 and "there is no folder exper/voc12/vgg16_largefov" in text
    code, text = submit(capsys, "voc12", "largefov_voc")
    assert code == 2 and "wanted <data set>/<model>" in text
    code, text = submit(capsys, "cityscapes", str(voc), "--list", "val")
    assert code == 2 and "has 21 classes; the server's data set has 19" in text


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (lambda p: p.unlink(), "missing of 3 images (1): 2008_000004"),
        (lambda p: p.with_name("2008_9.png").write_bytes(p.read_bytes()), "not in the test list (1): 2008_9.png"),
        (lambda p: write_label(p.parent / "more" / p.name, np.zeros((24, 16))), "twice (1): more/2008_000004.png"),
        (lambda p: write_label(p, np.zeros((24, 17))), "2008_000004.png: 17×24 pixels; expected 16×24"),
        (lambda p: write_label(p, np.full((24, 16), 255)), "2008_000004.png: 255; expected 0..20"),
        (lambda p: write_label(p, np.ones((24, 16)), voc_palette()[::-1]), "the colour of 1 is"),
        (lambda p: p.write_bytes(p.read_bytes()[:-30]), "damaged (1):"),
        (lambda p: p.write_bytes(b"no"), "not a PNG (1): 2008_000004.png"),
        (lambda p: p.write_bytes(png(np.zeros((24, 16, 3), np.uint8))), "RGB, 8 bits; expected grey or palette"),
        (lambda p: p.write_bytes(p.read_bytes() + bytes(1 << 21)), "too large a file (1)"),
    ],
)
def test_results_with_a_fault_are_refused_and_nothing_is_written(voc: Path, capsys, fault, expected) -> None:
    fault(voc / "result_crf/test/2008_000004.png")
    code, text = submit(capsys, "voc12", "voc12/largefov")
    assert code == 2 and "result_crf/test: refused" in text and expected in text
    assert not list(voc.rglob("*.tgz"))


def test_results_of_another_tool_may_be_grey(voc: Path, capsys) -> None:
    Path("mine").mkdir()
    for name, size in zip(VOC_IDS, VOC_SIZES, strict=True):
        Path(f"mine/{name}.png").write_bytes(png(np.full(size, 7, np.uint8)))
    code, _ = submit(capsys, "voc12", "--results", "mine", "--list", "voc/test.txt", "-o", "mine.tgz")
    assert code == 0 and submit(capsys, "voc12", "--check", "mine.tgz")[0] == 0
    code, text = submit(capsys, "voc12", "--results", "nowhere", "-o", "mine.tgz")
    assert code == 2 and "nowhere: no such folder" in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda f: f.popitem(), "missing of 3 images (1): 2008_000009"),
        (lambda f: f.update({f"{FOLDER}/2007_1.png": b"x"}), "not in the test list (1):"),
        (lambda f: f.update({f"./{FOLDER}/{VOC_IDS[0]}.png": b"x"}), "twice (1):"),
        (lambda f: f.update({f"{FOLDER}/.DS_Store": b"x"}), "not named results/VOC2012"),
        (
            lambda f: f.update({f"{FOLDER}/{VOC_IDS[0]}.png": png(np.zeros((20, 30), np.uint8))}),
            "grey, 8 bits; expected palette, 8 bits",
        ),
        (
            lambda f: f.update({f"{FOLDER}/{VOC_IDS[0]}.png": png(np.zeros((9, 9), np.uint8), voc_palette())}),
            "9×9 pixels; expected 30×20",
        ),
        (
            lambda f: f.update({f"{FOLDER}/{VOC_IDS[0]}.png": png(np.full((20, 30), 21, np.uint8), voc_palette())}),
            "21; expected 0..20",
        ),
        (
            lambda f: f.update({f"{FOLDER}/{VOC_IDS[0]}.png": png(np.ones((20, 30), np.uint8), voc_palette()[::-1])}),
            "the colour of 1 is",
        ),
        (
            lambda f: f.update({f"{FOLDER}/{VOC_IDS[0]}.png".replace("comp6", "comp5"): f.pop(next(iter(f)))}),
            "comp5, comp6",
        ),
    ],
)
def test_archives_with_a_fault_are_refused(voc: Path, capsys, change, expected) -> None:
    files = good()
    change(files)
    code, text = submit(capsys, "voc12", "--check", tgz("x.tgz", files))
    assert code == 2 and "x.tgz: refused" in text and expected in text


def test_links_and_archives_that_are_none(voc: Path, capsys) -> None:
    name = f"{FOLDER}/{VOC_IDS[0]}.png"
    code, text = submit(capsys, "voc12", "--check", tgz("x.tgz", {name: b""}, {name: tarfile.SYMTYPE}))
    assert code == 2 and f"{name} is a link" in text
    assert submit(capsys, "voc12", "--check", tgz("x.tgz", good()))[0] == 0
    whole = Path("x.tgz").read_bytes()
    endless = gzip.compress(gzip.decompress(whole) + bytes(40_000_000), 1)
    for content in (whole[:-40], whole[:-1], whole[:100], b"", b"nothing", gzip.decompress(whole), endless):
        Path("x.tgz").write_bytes(content)
        code, text = submit(capsys, "voc12", "--check", "x.tgz")
        assert code == 2 and "x.tgz: not a tar.gz archive, or damaged" in text
    with zipfile.ZipFile("x.tgz", "w") as archive:
        for entry, content in good().items():
            archive.writestr(entry, content)
    assert "x.tgz: not a tar.gz archive" in submit(capsys, "voc12", "--check", "x.tgz")[1]
    code, text = submit(capsys, "voc12", "--check", "none.tgz")
    assert code == 2 and "none.tgz: cannot read the archive: No such file" in text
    code, text = submit(capsys, "voc12", "--check", "x.7z")
    assert code == 2 and "the server of PASCAL VOC 2012 takes .tgz or .tar.gz" in text


def test_archives_are_read_within_bounds(tmp_path: Path) -> None:
    bomb = tgz(str(tmp_path / "bomb.tgz"), {"a.png": bytes(5_000_000)})
    with pytest.raises(InputError, match=r"entry 'a.png' unpacks to more than 1\.0 MB"):
        list(read_entries(bomb, ".tgz", Limits(1_000_000, 10_000_000)))
    many = tgz(str(tmp_path / "many.tgz"), {f"{k}.png": b"" for k in range(100)})
    with pytest.raises(InputError, match="it unpacks to more than 0.0 MB"):
        list(read_entries(many, ".tgz", Limits(1000, 10_000)))
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 40  # tarfile would read a name of this length at once
    path = tmp_path / "name.tgz"
    path.write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_000)))
    with pytest.raises(InputError, match="a header of 1099511627776 bytes"):
        list(read_entries(path, ".tgz", Limits(1000, 10_000)))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "expected an EXPERIMENT, or --results"),
        (["voc12/largefov", "--check", "x.tgz"], "one of them"),
        (["--results", "x"], "--results needs -o"),
        (["--check", "x.tgz", "-o", "y.tgz"], "remove -o"),
        (["voc12/largefov", "-o", "x.zip"], "takes .tgz or .tar.gz"),
        (["voc12/largefov", "--label-ids"], "are for Cityscapes"),
        (["--check", "x.tgz", "--list", "tset"], "'tset': no such file, and no list of "),
    ],
)
def test_flags_that_do_not_fit(voc: Path, capsys, words, expected) -> None:
    code, text = submit(capsys, "voc12", *words)
    assert code == 2 and expected in text


def test_a_list_of_missing_or_repeated_images(voc: Path, capsys) -> None:
    Path("voc/test.txt").write_text(f"/JPEGImages/{VOC_IDS[0]}.jpg\n" * 2)
    code, text = submit(capsys, "voc12", "--check", "x.tgz")
    assert code == 2 and f"test.txt:2: image '{VOC_IDS[0]}' stands in line 1 already" in text
    Path("voc/test.txt").write_text("2008_000001\n")
    code, text = submit(capsys, "voc12", "--check", "x.tgz")
    assert code == 2 and "1 of 1 files do not exist" in text


# -- Cityscapes


def results(folder: str, size: tuple[int, int] = (1024, 2048), ids: bool = False) -> None:
    label = SERVERS["cityscapes"].ids[street(size)] if ids else street(size)
    for name in CITY_IDS:
        write_label(f"{folder}/{name}_leftImg8bit.png", label)


def test_train_ids_become_label_ids(cityscapes: Path, capsys) -> None:
    results("mine")
    code, text = submit(capsys, "cityscapes", "--results", "mine", "-o", "x.zip")
    assert code == 0 and "wrote x.zip: 2 images" in text
    with zipfile.ZipFile("x.zip") as archive:
        assert archive.namelist() == [f"{name}_labelIds.png" for name in CITY_IDS]
        image = Image.open(io.BytesIO(archive.read(archive.namelist()[1])))
    assert image.mode == "L" and image.size == (2048, 1024)
    values = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    assert np.unique(image).tolist() == values and image.getpixel((0, 0)) == 7 and image.getpixel((2047, 0)) == 33
    assert submit(capsys, "cityscapes", "--check", "x.zip")[0] == 0


def test_half_resolution_is_enlarged(cityscapes: Path, capsys) -> None:
    folder = Path("exper/cityscapes_half/largefov/result/test")
    results(str(folder), (512, 1024))
    (folder / "done.json").write_text('{"weights": "w"}')
    code, text = submit(capsys, "cityscapes", "cityscapes_half/largefov")
    assert code == 0 and "results are of halved images; they are enlarged" in text
    with zipfile.ZipFile("exper/cityscapes_half/largefov/submission/cityscapes.zip") as archive:
        image = np.array(Image.open(io.BytesIO(archive.read(archive.namelist()[0]))))
    np.testing.assert_array_equal(image[1::2, 1::2], SERVERS["cityscapes"].ids[street((512, 1024))])
    np.testing.assert_array_equal(image[::2, ::2], image[1::2, 1::2])
    code, text = submit(capsys, "cityscapes", "--results", str(folder), "-o", "x.zip")
    assert code == 2 and "1024×512 pixels; expected 2048×1024" in text


def test_label_ids_and_train_ids_are_told_apart(cityscapes: Path, capsys) -> None:
    results("ids", ids=True)
    code, text = submit(capsys, "cityscapes", "--results", "ids", "-o", "x.zip")
    assert code == 2 and "19, 20, 21, 22, 23 and 8 more; expected 0..18" in text and "--label-ids" in text
    assert submit(capsys, "cityscapes", "--results", "ids", "--label-ids", "-o", "x.zip")[0] == 0
    assert submit(capsys, "cityscapes", "--check", "x.zip")[0] == 0
    results("train")
    code, text = submit(capsys, "cityscapes", "--results", "train", "--label-ids", "-o", "y.zip")
    assert code == 2 and "no pixel is above 18; the server wants label ids" in text and not Path("y.zip").exists()


def test_faults_of_a_zip(cityscapes: Path, capsys) -> None:
    content = png(SERVERS["cityscapes"].ids[street((1024, 2048))])
    with zipfile.ZipFile("x.zip", "w") as archive:
        archive.writestr(f"deep/{CITY_IDS[0]}_mine.png", content)
        archive.writestr(f"{CITY_IDS[0]}.png", content)
        archive.writestr(f"deep/../{CITY_IDS[1]}.png", content)
        archive.writestr("readme.txt", "x")
    code, text = submit(capsys, "cityscapes", "--check", "x.zip")
    assert code == 2
    unknown = f"(2): deep/../{CITY_IDS[1]}.png, readme.txt"
    for expected in (f"twice (1): {CITY_IDS[0]}.png", unknown, f"missing of 2 images (1): {CITY_IDS[1]}"):
        assert expected in text
    Path("test.txt").write_text("/a.png\n")
    assert "test.txt:1: '/a.png' is not a name of Cityscapes" in submit(capsys, "cityscapes", "--check", "x.zip")[1]

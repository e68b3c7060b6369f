"""`deeplab predict` and `Segmenter`, on a net that is trained for a moment."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from deeplab_caffe import Segmenter, cli
from deeplab_caffe.cli.stage_flags import read_by
from deeplab_caffe.crf import CRFParameters
from deeplab_caffe.data import read_image, read_label
from deeplab_caffe.data.photos import as_photo, read_photo
from deeplab_caffe.errors import InputError
from deeplab_caffe.inference import NetMaps, Protocol
from deeplab_caffe.prediction import Segmentation, segmenter
from deeplab_caffe.prediction.bounded_queue import worked
from deeplab_caffe.prediction.sources import find_sources
from experiment.conftest import TINY, make_tiny

CRF = CRFParameters(w1=4, sigma_alpha=20, sigma_beta=5)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with an experiment exper/demo that is trained and tested on the tiny data set."""
    folder = tmp_path_factory.mktemp("predict")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_tiny(folder)
        for kind in ("images", "labels"):  # one image of val is smaller than the test net's crop
            with Image.open(f"{kind}/i7.png") as image:
                image.crop((0, 0, 35, 27)).save(f"{kind}/i7.png")
        for stage in ("data", "prototxt", "train", "test"):
            assert cli.main([stage, "demo", "--data", "tiny.toml", "--exp", "exper/demo", *read_by(stage, TINY)]) == 0
        yield folder


@pytest.fixture
def photos(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with the experiment, and photos a, b and c in folders."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exper").symlink_to(trained / "exper")
    for number, name in enumerate(("a.png", "sub/b.jpg", "sub/deep/c.jpeg")):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "photos" / name), picture(number, 30 + 9 * number, 41))
    return tmp_path


@pytest.fixture(scope="module")
def model(trained: Path) -> Segmenter:
    return Segmenter.load("exper/demo")


def picture(number: int, height: int = 40, width: int = 48) -> np.ndarray:
    """Colours of the classes in noise, BGR."""
    random = np.random.default_rng(number)
    image = random.integers(0, 60, (height, width, 3))
    image[:, width // 2 :, number % 3] += 180
    return image.astype(np.uint8)


def predict(*words: str) -> int:
    return cli.main(["predict", *words])


def made(folder: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*.*") if path.is_file())


# -- the same labels as the stage test


def test_labels_are_those_of_the_stage_test(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the list val, whose images are smaller than the test net's crop or not."""
    monkeypatch.chdir(trained)
    assert predict("val.txt", "--exp", "exper/demo", "-o", str(tmp_path / "out")) == 0
    tested = sorted(Path("exper/demo/result/val").glob("*.png"))
    assert len(tested) == 2
    for path in tested:
        assert np.array_equal(read_label(path), read_label(tmp_path / "out/labels" / path.name))


@pytest.mark.parametrize("name", ["i6", "i7"])
def test_scores_are_those_of_the_stage_test(model: Segmenter, trained: Path, name: str) -> None:
    """To the last bit: also at the borders of an image that is smaller than the crop of the test net."""
    maps = model.predict(trained / f"images/{name}.png").maps
    assert isinstance(maps, NetMaps) and maps.size == (41, 49)
    assert np.array_equal(maps.values, np.load(trained / f"exper/demo/scores/val/{name}.npy"))


def test_labels_are_those_of_a_test_with_scales(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(trained, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    flags = ["--scales", "0.5,1", "--flip"]
    assert cli.main(["test", "demo", "--exp", "exper/demo", *flags]) == 0
    assert predict("val.txt", "--exp", "demo", "-o", "out") == 0  # the experiment remembers how it was tested
    assert "scales 0.5, 1; mirrored too" in json.loads(Path("out/predict.json").read_text())["protocol"]
    for path in Path("exper/demo/result/val").glob("*.png"):
        assert np.array_equal(read_label(path), read_label(Path("out/labels", path.name)))


# -- results


def test_a_folder_keeps_its_paths(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["photos", "--exp", "exper/demo", "-o", "out", "--save-probabilities", "--legend"]
    assert predict(*words) == 0
    ids = ["a", "sub/b", "sub/deep/c"]
    kinds = [("labels", "png"), ("overlay", "png"), ("probabilities", "npy")]
    assert made("out") == sorted([*(f"{kind}/{name}.{end}" for kind, end in kinds for name in ids), "predict.json"])
    assert Image.open("out/labels/a.png").mode == "P"
    labels, probabilities = read_label("out/labels/sub/b.png"), np.load("out/probabilities/sub/b.npy")
    assert labels.shape == (39, 41) and probabilities.shape == (3, 39, 41)
    assert np.array_equal(probabilities.argmax(0), labels)
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)
    assert cv2.imread("out/overlay/a.png").shape[0] > 30  # the legend is below
    said = capsys.readouterr()
    assert "mean and scale of exper/demo/prototxt/test.prototxt" in said.out and "out: 3 predicted" in said.out
    assert "images/s" in said.err or "s/image" in said.err


def test_finished_images_are_skipped_unless_they_or_the_settings_changed(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["photos", "--exp", "exper/demo", "-o", "out"]
    assert predict(*words) == 0
    Path("out/labels/sub/b.png").unlink()
    before = os.stat("out/labels/a.png").st_mtime_ns
    capsys.readouterr()
    assert predict(*words) == 0
    assert "out: 1 predicted, 2 were finished before" in capsys.readouterr().out
    assert os.stat("out/labels/a.png").st_mtime_ns == before
    cv2.imwrite("photos/a.png", picture(7, 20, 20))
    assert predict(*words, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["source"], line["status"]) for line in lines][-1] == ("photos/a.png", "done")
    assert sum(lines[-1]["shares"].values()) == pytest.approx(1, abs=1e-4)
    assert read_label(lines[-1]["files"]["labels"]).shape == tuple(lines[-1]["size"]) == (20, 20)
    assert predict(*words, "--scales", "0.5") == 2
    assert "out: holds predictions with protocol scale 1 (now scale 0.5); use another" in capsys.readouterr().err
    assert predict(*words, "--scales", "0.5", "--force") == 0
    assert "out: 3 predicted" in capsys.readouterr().out


def test_results_need_a_folder(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert predict("photos/a.png", "--exp", "exper/demo", "-o", "photos/a.png") == 2
    assert "photos/a.png: is a file; wanted a folder\n" in capsys.readouterr().err


def test_a_record_without_results_is_replaced(photos: Path) -> None:
    words = ["photos/a.png", "--exp", "exper/demo", "-o", "out"]
    assert predict(*words) == 0
    for path in Path("out").glob("*/*.png"):
        path.unlink()
    assert predict(*words, "--scales", "0.5") == 0
    assert json.loads(Path("out/predict.json").read_text())["protocol"] == "scale 0.5"


def test_a_damaged_image_is_named_and_the_others_go_on(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Path("photos/sub/b.jpg").read_bytes()
    Path("photos/cut.jpg").write_bytes(whole[: len(whole) // 2])
    Path("photos/text.png").write_text("no image")
    Path("photos/empty.jpg").write_bytes(b"")
    assert predict("photos", "--exp", "exper/demo", "-o", "out", "--json") == 2
    said = capsys.readouterr()
    lines = {line["source"]: line for line in map(json.loads, said.out.splitlines())}
    assert {name for name, line in lines.items() if line["status"] == "failed"} == {
        *("photos/cut.jpg", "photos/text.png", "photos/empty.jpg")
    }
    assert lines["photos/cut.jpg"]["error"].startswith("photos/cut.jpg: cannot read the image: ")
    assert "out: 3 predicted, 3 failed" in said.err and not Path("out/labels/cut.png").exists()
    assert lines["photos/sub/b.jpg"]["status"] == "done"


def test_a_source_is_never_overwritten(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.makedirs("out/overlay")
    cv2.imwrite("out/overlay/x.png", picture(0))
    before = Path("out/overlay/x.png").read_bytes()
    assert predict("out/overlay/x.png", "--exp", "exper/demo", "-o", "out", "--force") == 2
    assert (
        "out/overlay/x.png: a result would replace the source out/overlay/x.png there; use" in capsys.readouterr().err
    )
    assert predict("photos/a.png", "--exp", "exper/demo", "-o", "out") == 2
    assert "out/overlay: holds files, but no predict.json says what made them" in capsys.readouterr().err
    assert Path("out/overlay/x.png").read_bytes() == before
    os.makedirs("out/labels/clip")
    for name in ("clip.mp4", "out/labels/clip/000001.png"):
        shutil.copy("photos/a.png", name)
    words = ["clip.mp4", "out/labels/clip/000001.png", "--exp", "exper/demo", "-o", "out", "--force"]
    assert predict(*words, "--label-frames") == 2
    assert "out/labels/clip: a result would replace the source out/labels/clip/000001.png" in capsys.readouterr().err


def test_the_crf_refines(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = "w1=4,sigma_alpha=20,sigma_beta=5"
    assert predict("photos/a.png", "--exp", "exper/demo", "-o", "out", "--crf", values) == 0
    found = Segmenter.load("exper/demo").predict("photos/a.png")
    assert np.array_equal(read_label("out/labels_crf/a.png"), found.refined(CRF).labels)
    assert np.array_equal(read_label("out/labels/a.png"), found.labels)
    capsys.readouterr()
    assert predict("--exp", "exper/demo", "-o", "new", "--crf", "photos/a.png") == 2  # --crf alone, before a source
    assert "--crf: exper/demo has no exper/demo/crf/parameters.json; run the stage search" in capsys.readouterr().err
    assert predict("photos/a.png", "--exp", "exper/demo", "-o", "new", "--crf", "DeepLab-MSk") == 2
    assert "--crf DeepLab-MSk: no such preset or file; did you mean 'DeepLab-MSc'?" in capsys.readouterr().err
    assert predict("photos/a.png", "--exp", "exper/demo", "-o", "new", "--crf", "w1=4") == 2
    assert "--crf w1=4: missing sigma_alpha, sigma_beta; expected values of w1, sigma_alpha" in capsys.readouterr().err
    with pytest.raises(InputError, match="CRF: no parameters are known"):
        found.refined()


# -- sources


def ids(*words: str) -> list[str]:
    return [source.id for source in find_sources(words, Path("out"), "predict.json")]


def test_what_words_name(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.makedirs("photos/.hidden")
    shutil.copy("photos/a.png", "photos/.hidden/x.png")
    os.makedirs("photos/earlier/labels")
    shutil.copy("photos/a.png", "photos/earlier/labels/x.png")
    Path("photos/earlier/predict.json").write_text("{}")
    Path("photos/notes.md").write_text("not an image")
    assert ids("photos") == ["a", "sub/b", "sub/deep/c"]
    assert ids("photos/sub/*.jpg") == ["b"] and ids("photos/**/*.jp*g") == ["sub/b", "sub/deep/c"]
    assert ids("photos/a.png", "photos/a.png", "photos/sub/b.jpg") == ["a", "b"]
    Path("photos/list.txt").write_text("a.png /labels/a.png\n\nsub/b.jpg\n")
    assert ids("photos/list.txt") == ["a", "b"]
    shutil.copy("photos/a.png", "photos/my photo.png")
    for text in (b"photos/my photo.png\nphotos/a.png\n", b"photos/my photo.png\0photos/a.png\0"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        assert ids("-") == ["my photo", "a"]
    shutil.copy("photos/sub/b.jpg", "photos/a.jpg")
    assert ids("photos/a.png", "photos/a.jpg") == ["a.png", "a.jpg"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing.jpg"], "nothing.jpg: no such file or folder; expected an image, a video"),
        (["empty"], "empty: no images in this folder"),
        (["photos/*.bmp"], "photos/*.bmp: no image fits this pattern"),
        (["photos", "others"], "photos/a.png and others/a.png would both become a.png"),
    ],
)
def test_words_that_name_nothing(photos: Path, words: list[str], message: str) -> None:
    os.makedirs("empty")
    os.makedirs("others")
    shutil.copy("photos/a.png", "others/a.png")
    with pytest.raises(InputError) as error:
        ids(*words)
    assert str(error.value).startswith(message)


def test_a_missing_line_of_a_list_is_named(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.txt").write_text("photos/a.png\nphotos/gone.png\n")
    assert predict("list.txt", "--exp", "exper/demo", "-o", "out") == 2
    assert "failed: list.txt:2: photos/gone.png: cannot read the image: No such file" in capsys.readouterr().err
    assert Path("out/labels/a.png").is_file()


# -- images as a person sees them


def test_photos_of_all_kinds(tmp_path: Path) -> None:
    """The same pixels in many files."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)  # RGB
    bgr = pixels[:, :, ::-1]
    cv2.imwrite(str(tmp_path / "16.png"), bgr.astype(np.uint16) * 257)
    cv2.imwrite(str(tmp_path / "16.tif"), bgr.astype(np.uint16) * 257)
    Image.fromarray(np.dstack([pixels, np.full((9, 14), 255, np.uint8)])).save(tmp_path / "rgba.png")
    turned = Image.fromarray(np.rot90(pixels))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    for name in ("16.png", "16.tif", "rgba.png", "turned.png"):
        assert np.array_equal(read_photo(tmp_path / name), pixels), name
    assert read_photo(tmp_path / "turned.png", upright=False).shape == (14, 9, 3)
    grey = pixels[:, :, 0]
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    assert np.array_equal(read_photo(tmp_path / "grey.png"), np.dstack([grey] * 3))
    clear = np.dstack([pixels, np.zeros((9, 14), np.uint8)])
    Image.fromarray(clear).save(tmp_path / "clear.png")
    assert (read_photo(tmp_path / "clear.png") == 255).all()
    cv2.imwrite(str(tmp_path / "photo.jpg"), bgr)
    assert np.array_equal(read_photo(tmp_path / "photo.jpg"), read_image(tmp_path / "photo.jpg"))
    for most in (1, 255):  # neither says what is white
        cv2.imwrite(str(tmp_path / "float.tif"), bgr.astype(np.float32) * (most / 255))
        with pytest.raises(InputError, match=r"float.tif: has floating-point pixels, .*; convert it to 8 or 16 bits"):
            read_photo(tmp_path / "float.tif")


def test_arrays_of_all_kinds(model: Segmenter) -> None:
    image = picture(1, 33, 21)[:, :, ::-1]
    labels = model.predict(image).labels
    for same in (image.astype(np.float64), image.astype(np.uint16) * 257, np.dstack([image, image[:, :, :1] | 255])):
        assert np.array_equal(model.predict(same).labels, labels)
    assert model.predict(image[:, :, 0]).labels.shape == (33, 21)
    for wrong in (image[:, :, :2], image[0, 0], image.astype(np.int64), np.full((4, 4), np.nan)):
        with pytest.raises(InputError, match="^image: "):
            model.predict(wrong)
    assert np.array_equal(as_photo(np.zeros((2, 2), np.float32)), np.zeros((2, 2, 3), np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (130, 67)])
def test_any_size(model: Segmenter, size: tuple[int, int]) -> None:
    found = model.predict(picture(2, *size))
    assert found.labels.shape == size and found.probabilities.shape == (3, *size)
    assert found.overlay(legend=True).shape[0] > size[0]


def test_large_images_are_computed_in_regions(model: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(3, 100, 120)
    stated = model.predict(image, Protocol(tile=65)).labels
    monkeypatch.setattr(segmenter, "LARGEST_WHOLE", 100 * 120 - 1)
    monkeypatch.setattr(segmenter, "REGION", 65)
    assert np.array_equal(model.predict(image).labels, stated)


def test_a_large_image_is_written_before_the_next_is_computed(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that only one has its maps in memory."""
    monkeypatch.setattr("deeplab_caffe.prediction.predict.LARGEST_WHOLE", 100)
    computed = Segmenter.predict

    def predicted(self: Segmenter, *words: object) -> Segmentation:
        count.append(len(list(Path("out").glob("labels/**/*.png"))))
        return computed(self, *words)  # type: ignore[arg-type]

    count: list[int] = []
    monkeypatch.setattr(Segmenter, "predict", predicted)
    assert predict("photos", "--exp", "exper/demo", "-o", "out") == 0
    assert count == [0, 1, 2] and len(made("out")) == 7


def test_overlays_leave_black_classes_alone() -> None:
    image = np.full((20, 30, 3), 100, np.uint8)
    scores = np.stack([np.arange(30) < 15, np.arange(30) >= 15]).astype(np.float32)[:, None].repeat(20, 1)
    maps = NetMaps(scores, (20, 30), "scores")
    palette = np.array([[0, 0, 0], [200, 0, 0]], np.uint8)
    found = Segmentation(image, ("background", "cat"), palette, maps)
    picture = found.overlay(opacity=0.5)
    assert (picture[:, :14] == 100).all() and (picture[:, 17:] == [150, 50, 50]).all()
    assert (picture[:, 15] == 255).all() and not (found.overlay(outline=0) == 255).any()
    coloured = Segmentation(image, ("sky", "cat"), palette + 10, maps)
    assert (coloured.overlay(outline=0)[:, :14] != 100).all()
    assert found.shares == {"background": 0.5, "cat": 0.5}
    with pytest.raises(InputError, match="opacity: got 2"):
        found.overlay(opacity=2)


# -- videos


@pytest.mark.parametrize(("codec", "name"), [("mp4v", "clip.mp4"), ("MJPG", "odd.avi")])
def test_videos(photos: Path, capsys: pytest.CaptureFixture[str], codec: str, name: str) -> None:
    writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*codec), 10, (48, 34))
    for number in range(5):
        writer.write(picture(number, 34, 48))
    writer.release()
    Path("broken.mp4").write_bytes(Path(name).read_bytes()[:200])
    assert predict(name, "broken.mp4", "--exp", "exper/demo", "-o", "out", "--label-frames", "--legend") == 2
    assert "failed: broken.mp4: cannot read the video: damaged" in capsys.readouterr().err
    stem = Path(name).stem
    frames = sorted(Path(f"out/labels/{stem}").iterdir())
    assert [path.name for path in frames] == [f"{number:06d}.png" for number in range(1, 6)]
    assert read_label(frames[0]).shape == (34, 48)
    made = cv2.VideoCapture(f"out/overlay/{stem}.mp4")
    shown = [frame for _ in range(6) if (frame := made.read()[1]) is not None]
    assert len(shown) == 5 and shown[0].shape[0] > 34 and made.get(cv2.CAP_PROP_FPS) == 10
    assert predict(name, "--exp", "exper/demo", "-o", "out", "--label-frames", "--legend") == 0
    assert "0 predicted, 1 were finished before" in capsys.readouterr().out


# -- models


def test_a_model_from_files(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, weights = "exper/demo/prototxt/deploy.prototxt", "exper/demo/model/train_iter_4.caffemodel"
    wanted = Segmenter.load("demo").predict("photos/a.png").labels
    found = Segmenter.from_files(net, weights, "exper/demo/dataset.toml").predict("photos/a.png")
    assert np.array_equal(found.labels, wanted) and found.classes == ("ground", "red", "blue")
    shutil.copy(net, "deploy.prototxt")  # without its test net
    scale = ["--input-scale", "0.01724138"]
    words = ["photos/a.png", "--net", "deploy.prototxt", "--weights", weights, "-o", "out", *scale]
    assert predict(*words) == 0
    said = capsys.readouterr().out
    assert "mean of VGG-16's training images, as no data set is stated, scale 0.0172414 as stated" in said
    assert "classes are numbers" in said and "class 0" in said
    assert np.array_equal(read_label("out/labels/a.png"), wanted)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which model? State --exp EXPERIMENT"),
        (["--exp", "demp"], "demp: no such experiment; did you mean 'demo'?"),
        (["--exp", "voc12/largefow"], "voc12/largefow: no such experiment"),
        (["--exp", "photos"], "photos: has no net, expected photos/prototxt/deploy.prototxt or "),
        (["--exp", "demo", "--stage", "2"], "exper/demo: has no trained weights in exper/demo/model; run the stage tr"),
        (["--exp", "demo", "--weights", "a.pth"], "--weights a.pth: there is no such file"),
        (["--exp", "demo", "--data", "x.toml"], "--data is for --net; an experiment knows its own"),
        (["--net", "NET/deploy.prototxt"], "its weights are missing; add --weights FILE"),
        (
            ["--net", "NET/train.prototxt", "--weights", "W"],
            "has no layer Input for an image; expected a net for predi",
        ),
        (["--net", "W", "--weights", "W"], "these are weights; use --net deploy.prototxt"),
        (["--net", "m.onnx", "--weights", "W"], "--net m.onnx: an ONNX model; expected a Caffe net"),
        (
            ["--net", "NET/deploy.prototxt", "--weights", "here.pth"],
            "not weights of a Caffe (.caffemodel, .caffemodel.h",
        ),
        (
            ["--net", "NET/deploy.prototxt", "--weights", "W", "--data", "two.toml"],
            "has 3 classes, but two.toml nam",
        ),
        (["--exp", "demo", "--opacity", "2"], "--opacity: got 2; expected 0 (the photo) to 1"),
        (["--exp", "demo", "--overlap", "0.5"], "--overlap 0.5 is that of regions; state their size with --tile"),
    ],
)
def test_models_that_are_none(photos: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    Path("here.pth").write_bytes(b"PK")
    Path("two.toml").write_text('name = "two"\nclasses = ["a", "b"]\n')
    weights = "exper/demo/model/train_iter_4.caffemodel"
    given = [weights if word == "W" else word.replace("NET", "exper/demo/prototxt") for word in words]
    assert predict("photos/a.png", *given, "-o", "out") == 2
    assert message in capsys.readouterr().err
    assert not Path("out/labels").exists()


# -- memory


class Picture:
    """Something that can be counted while it lives."""


def test_few_images_are_in_memory_at_once() -> None:
    """Of 300 images, read faster than they are written."""
    alive, most, lock = 0, 0, threading.Lock()

    def gone() -> None:
        nonlocal alive
        with lock:
            alive -= 1

    def read(number: int) -> Picture:
        nonlocal alive, most
        made = Picture()
        weakref.finalize(made, gone)
        with lock:
            alive += 1
            most = max(most, alive)
        return made

    def compute(number: int, image: Picture) -> Picture:
        if number == 7:
            raise InputError("seven")
        return image

    wait = threading.Event()

    def write(number: int, image: Picture) -> int:
        wait.wait(0.001)
        return number

    found = list(worked(range(300), read, compute, write, ahead=2, behind=2))
    assert [number for number, _ in found] == list(range(300))
    assert [number for number, result in found if result != number] == [7] and str(found[7][1]) == "seven"
    assert 3 <= most <= 9


def test_a_full_disk_ends_the_work() -> None:
    read_ones: list[int] = []

    def write(number: int, value: int) -> int:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        list(worked(range(100), lambda n: read_ones.append(n) or n, lambda n, value: value, write))
    assert len(read_ones) < 20


# -- the package


def test_the_names_are_there_without_importing_pytorch() -> None:
    code = "import sys, deeplab_caffe; assert 'Segmenter' in deeplab_caffe.__all__; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ}).returncode == 0

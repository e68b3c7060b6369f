"""Each script of examples/ runs, offline, on nets and data that are made here."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from deeplab_caffe import caffe
from deeplab_caffe.data import read_label, write_label
from deeplab_caffe.porting.state_dict import write_state_dict
from small_nets import conv, image, layer, net

EXAMPLES = Path(__file__).parent.parent / "examples"
#: a net of a second's training; see tests/experiment
TINY = ["--crop", 33, "--batch-size", 2, "--width", 0.03, "--iterations", 4, "--snapshot", 2, "--display", 1]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run an example in an empty folder; returns what it printed, on stderr if it is to fail."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *arguments: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        out, err = capsys.readouterr()
        assert ended.value.code == code, err
        return err if code else out

    return run


def two_colours() -> tuple[np.ndarray, np.ndarray]:
    """A blue (0) and a red (1) half with noise, BGR (40, 50, 3), and its labels."""
    label = np.zeros((40, 50), np.uint8)
    label[:, 25:] = 1
    pixels = np.array([[200, 60, 30], [30, 60, 200]])[label] + np.random.default_rng(0).integers(-9, 10, (40, 50, 3))
    return pixels.astype(np.uint8), label


def test_every_example_has_a_test_and_a_line_in_the_readme() -> None:
    readme, tests = (EXAMPLES / "README.md").read_text(), Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f"({path.name})" in readme and f'run("{path.stem}"' in tests


def test_segment_photo(run) -> None:
    """A net whose scores are blue and red, and a photo that is half blue and half red."""
    pixels, label = two_colours()
    cv2.imwrite("photo.png", pixels)
    Path("deploy.prototxt").write_text(net(image("9x9", 3), conv("scores", "data", "kernel_size: 1", outputs=2)))
    made = caffe.Net("deploy.prototxt", caffe.TEST)
    made.params["scores"][0].data[...] = np.array([[1, 0, 0], [0, 0, 1]], np.float32)[:, :, None, None] / 20
    made.save("weights.caffemodel")
    net_and_weights = ["deploy.prototxt", "photo.png", "--weights", "weights.caffemodel"]
    shown = run("segment_photo", *net_and_weights, "-o", "labels.png")
    assert "class 0: 50.0% of the pixels" in shown
    assert np.array_equal(read_label("labels.png"), label)
    assert cv2.imread("labels_overlay.png").shape == (40, 50, 3)
    Path("two.toml").write_text('name = "two"\nclasses = ["blue", "red"]\nmean = [0, 0, 0]\n')
    words = ["-o", "named.png", "--dataset", "two.toml", "--no-crf"]
    assert "red: 50.0% of the pixels" in run("segment_photo", *net_and_weights, *words)


def test_crf_on_scores(run) -> None:
    """Scores at a quarter of the size, one of them wrong: the CRF follows the colours."""
    pixels, label = two_colours()
    cv2.imwrite("photo.png", pixels)
    scores = np.stack([label[::3, ::3] == 0, label[::3, ::3] == 1]).astype(np.float32) * 2
    scores[:, 6, 3] = [0, 1]
    np.save("scores.npy", scores)
    shown = run("crf_on_scores", "photo.png", "scores.npy", "--sigma-alpha", 20, "--sigma-beta", 10, "--w1", 8)
    assert "of the pixels changed their label" in shown
    assert (read_label("labels.png") == label).mean() > 0.99
    assert (scores.argmax(0) != label[::3, ::3]).any()


def test_own_data(run) -> None:
    pixels, label = two_colours()
    for folder in ("images", "labels"):
        Path(folder).mkdir()
    for i in range(6):
        cv2.imwrite(f"images/{i}.jpg", np.roll(pixels, 3 * i, axis=1))
        write_label(f"labels/{i}.png", np.roll(label, 3 * i, axis=1))
    cv2.imwrite("images/without_label.jpg", pixels)
    stages = ["--stages", "data", "prototxt", "train", "test"]
    shown = run("own_data", "images", "labels", "--classes", "blue", "red", "--folder", "own", *TINY, *stages)
    assert "6 images with labels, 1 of them for val" in shown
    assert Path("own/model/train_iter_4.caffemodel").is_file()
    assert len(list(Path("own/result/val").glob("*.png"))) == 1


def test_port_weights(run) -> None:
    """What PyTorch computes of RGB the net computes of BGR."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 1))
    write_state_dict("model.safetensors", {name: value.numpy() for name, value in model.state_dict().items()})
    trunk = conv("conv1", "data", outputs=4), layer("ReLU", "relu1", "conv1", tops="conv1")
    head = conv("fc8", "conv1", "kernel_size: 1", outputs=2)
    Path("net.prototxt").write_text(net(image("9x9", 3), *trunk, head))
    shown = run("port_weights", "model.safetensors", "net.prototxt", "conv1=0", "fc8=2", "--rgb")
    assert "2 layers, written and read again" in shown
    rgb = torch.randn(1, 3, 9, 9)
    scores = caffe.Net("net.prototxt", "net.caffemodel", caffe.TEST).forward(data=rgb.numpy()[:, ::-1])["fc8"]
    np.testing.assert_allclose(scores, model(rgb).detach().numpy(), rtol=0, atol=1e-5)


# -- what is wrong with the input is said in one line


def _says(run, name: str, *arguments: object) -> str:
    """What an example says of input that it cannot use, without its name."""
    said = run(name, *arguments, code=2)
    assert said.startswith(f"{name}.py: error: ") and said.count("\n") == 1, said
    return said.strip().removeprefix(f"{name}.py: error: ")


def test_segment_photo_says_what_is_missing(run) -> None:
    assert _says(run, "segment_photo", "nothing", "photo.png").startswith("nothing: no such experiment")
    Path("deploy.prototxt").write_text(net(image("9x9", 3), conv("scores", "data", outputs=2)))
    given = ["deploy.prototxt", "none.png", "--weights", "net.caffemodel"]
    assert "net.caffemodel: there is no such file" in _says(run, "segment_photo", *given)
    caffe.Net("deploy.prototxt", caffe.TEST).save("net.caffemodel")
    assert _says(run, "segment_photo", *given) == "none.png: cannot read the image: No such file or directory"


def test_crf_on_scores_says_which_file_it_cannot_read(run) -> None:
    cv2.imwrite("photo.png", two_colours()[0])
    for name, values in (("flat", np.zeros((4, 5))), ("nan", np.full((2, 4, 5), np.nan))):
        np.save(f"{name}.npy", values)
    Path("empty.npy").touch()
    for scores, said in (
        ("none.npy", "none.npy: cannot read scores: No such file"),
        ("empty.npy", "empty.npy: cannot read scores: not a .npy file"),
        ("flat.npy", "flat.npy: expected numbers (classes, height, width)"),
        ("nan.npy", "CRF: scores hold nan"),
    ):
        assert _says(run, "crf_on_scores", "photo.png", scores).startswith(said)
    assert _says(run, "crf_on_scores", "none.png", "nan.npy").startswith("none.png: cannot read the image")


def test_own_data_says_that_there_is_nothing_to_train_on(run) -> None:
    Path("empty").mkdir()
    rest = ["--classes", "a", "b", "--folder", "own"]
    assert _says(run, "own_data", "none", "none", *rest) == "none: No such file or directory"
    assert _says(run, "own_data", "empty", "none", *rest) == "none: No such file or directory"
    assert _says(run, "own_data", "empty", "empty", *rest).startswith("empty: found no images")
    for path in ("images/a.jpg", "images/b.jpg", "labels/a.png"):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).touch()
    assert "found 1 image (x.jpg, x.png) with a label" in _says(run, "own_data", "images", "labels", *rest)
    assert "expected a share between 0 and 1" in run("own_data", "images", "labels", *rest, "--val", 20, code=2)
    assert not Path("own").exists()


def test_port_weights_says_what_does_not_fit(run) -> None:
    write_state_dict("model.safetensors", {"0.weight": np.zeros((4, 3, 3, 3), np.float32)})
    Path("bad.pth").write_text("not a checkpoint")
    Path("bad.prototxt").write_text("layer {")
    Path("net.prototxt").write_text(net(image("9x9", 3), conv("fc8", "data", "kernel_size: 1", outputs=2)))
    for file, prototxt, name, said in (
        ("none.pth", "net.prototxt", "fc8=0", "Could not open file none.pth"),
        ("bad.pth", "net.prototxt", "fc8=0", "bad.pth: "),
        ("model.safetensors", "none.prototxt", "fc8=0", "Could not open file none.prototxt"),
        ("model.safetensors", "bad.prototxt", "fc8=0", "bad.prototxt:1:"),
        ("model.safetensors", "net.prototxt", "fc7=0", "net.prototxt: has no layer fc7"),
        ("model.safetensors", "net.prototxt", "fc8=1", "model.safetensors: has no 1.weight; it has 0.weight"),
        ("model.safetensors", "net.prototxt", "fc8=0", "model.safetensors: 0.weight is (4, 3, 3, 3), the net expects"),
    ):
        assert _says(run, "port_weights", file, prototxt, name).startswith(said)
    assert "expected LAYER=MODULE, got 'fc8'" in run("port_weights", "bad.pth", "net.prototxt", "fc8", code=2)

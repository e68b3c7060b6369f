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
    """Run an example in an empty folder; returns what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capsys.readouterr().out

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

"""Weight files shown, compared, and held against a net."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from deeplab_caffe.arrays import same_shape
from deeplab_caffe.cli import main
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.weight_files import read_weight_file
from deeplab_caffe.formats.weight_fit import NetLayer, fit
from deeplab_caffe.formats.weights import encode_blob, encode_bytes, encode_varint, write_caffemodel
from deeplab_caffe.porting.difference import compare, distance
from deeplab_caffe.porting.state_dict import write_state_dict
from deeplab_caffe.porting.summary import summarise

DATA = Path(__file__).parent.parent / "data" / "conformance"
V1, V2 = DATA / "v1" / "v1.caffemodel", DATA / "v1" / "v1_upgraded.caffemodel"


def write(path: Path, layers: dict[str, list[np.ndarray]], kind: str = "Convolution") -> Path:
    encoded = [
        (schema.LayerParameter(name=name, type=kind).SerializeToString(), [encode_blob(b) for b in blobs])
        for name, blobs in layers.items()
    ]
    write_caffemodel(path, "net", encoded)
    return path


@pytest.mark.parametrize(
    ("types", "dialect"),
    [(["Convolution"], "V2"), (["Convolution", "Interp"], "DeepLab v2"), (["Interp", "BN"], "PSPNet")],
)
def test_the_dialect_of_todays_form_is_told_by_types(tmp_path: Path, types: list[str], dialect: str) -> None:
    layers = [(schema.LayerParameter(name=t, type=t).SerializeToString(), []) for t in types]
    write_caffemodel(tmp_path / "x.caffemodel", "net", layers)
    assert read_weight_file(tmp_path / "x.caffemodel").dialect == dialect


@pytest.mark.parametrize(
    ("number", "has_blobs", "dialect", "kind"),
    [
        (4, True, "V1", "Convolution"),
        (39, True, "V1", "Deconvolution"),  # the number that the two dialects use for different types
        (39, False, "DeepLab v1", "ImageSegData"),
        (41, False, "DeepLab v1", "Interp"),
    ],
)
def test_the_dialect_of_numbered_types(tmp_path: Path, number: int, has_blobs: bool, dialect: str, kind: str) -> None:
    layer = encode_bytes(4, b"x") + encode_varint(5 << 3) + encode_varint(number)
    layer += encode_bytes(6, encode_blob(np.zeros(2, np.float32))) if has_blobs else b""
    (tmp_path / "x.caffemodel").write_bytes(encode_bytes(2, layer))
    file = read_weight_file(tmp_path / "x.caffemodel")
    assert (file.dialect, [x.type for x in file.layers]) == (dialect, [kind])


def test_summary_counts_and_finds_what_is_no_number(tmp_path: Path) -> None:
    values = np.array([[1, 2], [3, np.nan]], np.float32)
    write(tmp_path / "x.caffemodel", {"fc": [values, np.array([5], np.float32)], "relu": []})
    summary = summarise(read_weight_file(tmp_path / "x.caffemodel"))
    weight = summary.blobs[0]
    assert (summary.parameters, summary.layers, weight.shape) == (5, 2, (2, 2))
    assert (weight.mean, weight.minimum, weight.maximum) == (2, 1, 3)
    assert weight.std == pytest.approx((2 / 3) ** 0.5)
    assert summary.warnings == ["layer 'fc' blob 0: 1 of 4 values are NaN or infinite"]
    assert "2x2" in str(summary)


def test_show_warns_of_nan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "x.caffemodel", {"fc": [np.full(3, np.inf, np.float32)]})
    assert main(["weights", "show", str(path), "--json"]) == 0
    shown = capsys.readouterr()
    assert '"not_finite": 3' in shown.out and '"mean": null' in shown.out
    assert "warning: layer 'fc' blob 0: 3 of 3" in shown.err


def test_a_file_of_2014_equals_itself_upgraded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "diff", str(V1), str(V2)]) == 0
    assert "4 of 4 blobs" in capsys.readouterr().out


def test_difference_names_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, same = np.array([1, -4], np.float32), np.array([7], np.float32)
    a = write(tmp_path / "a.caffemodel", {"x": [one, same], "y": [one], "z": [one]})
    b = write(tmp_path / "b.caffemodel", {"x": [one + 1, same], "y": [same], "w": [one]})
    found = compare(read_weight_file(a), read_weight_file(b))
    assert (found.only_first, found.only_second) == (["z"], ["w"])
    first, second, third = found.blobs
    assert (first.max_abs, first.relative) == (1, 0.25)
    assert second.is_equal
    assert (third.shape, third.other_shape, third.max_abs) == ((2,), (1,), None)
    assert main(["weights", "diff", str(a), str(b)]) == 1
    assert "2 against 1" in capsys.readouterr().out


def test_equal_bits_differ_by_nothing_and_nan_by_nan() -> None:
    values = np.array([1, np.nan, np.inf], np.float32)
    assert distance(values, values.copy()) == (0, 0)
    assert np.isnan(distance(values, np.array([1, 2, np.inf], np.float32))[0])


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [((1, 1, 1, 4), (4,), True), ((4, 1), (4,), False), ((1, 1, 5, 144), (5, 144), True), ((), (1,), False)],
)
def test_shapes_are_equal_but_for_leading_ones(first: tuple[int, ...], second: tuple[int, ...], same: bool) -> None:
    assert same_shape(first, second) is same


def test_fit_tells_loaded_missing_skipped_and_mismatched(tmp_path: Path) -> None:
    path = write(tmp_path / "x.caffemodel", {n: [np.zeros(2, np.float32)] for n in ("same", "other", "gone")})
    net = {
        "same": NetLayer("Bias", [(2,)]),
        "other": NetLayer("Bias", [(3,)]),
        "new": NetLayer("Bias", [(2,)]),
        "shared": NetLayer("Bias", [(2,)], borrowed=[True]),
        "up": NetLayer("Deconvolution", [(2,)], needs_weights=False),
    }
    found = fit(read_weight_file(path), "net", net)
    assert (found.loaded, found.missing, found.uninitialized) == (["same"], ["new", "up"], ["new"])
    assert found.skipped == ["gone"]
    assert [(m.layer, m.reason) for m in found.mismatched] == [
        ("other", "blob 0 has shape (2,) in the file, (3,) in the net")
    ]
    assert not found.is_whole


def test_check_of_a_whole_and_of_another_net(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = tmp_path / "net.prototxt"
    text = (DATA / "v1" / "v1_deploy.prototxt").read_text()
    net.write_text(text)
    assert main(["weights", "check", str(V1), str(net)]) == 0
    net.write_text(text.replace("fc2", "fc3"))
    capsys.readouterr()
    assert main(["weights", "check", str(V1), str(net)]) == 1
    shown = capsys.readouterr().out
    assert "skipped (not in the net)" in shown and "fc2" in shown and "fc3" in shown


def test_check_refuses_what_is_no_weight_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.caffemodel").write_bytes(b"no weights")
    assert main(["weights", "check", str(tmp_path / "x.caffemodel"), str(DATA / "v1" / "v1_deploy.prototxt")]) == 2
    assert "not a .caffemodel" in capsys.readouterr().err


@pytest.mark.parametrize("before", ["", "# ten\n", "\n\n", "force_backward: true "])
def test_a_prototxt_in_place_of_weights_is_named(
    before: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deploy.prototxt"
    path.write_text(before + (DATA / "v1" / "v1_deploy.prototxt").read_text())
    for words in (["weights", "show"], ["export", "torch", "-o", str(tmp_path / "x"), "-w", str(path)]):
        assert main([*words, str(path)]) == 2
        assert f"{path}: is a prototxt, which has no weights; expected a .caffemodel" in capsys.readouterr().err
    assert not list(tmp_path.glob("x*"))


def test_a_state_dict_has_the_rights_that_the_mask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_state_dict(tmp_path / "x.safetensors", {"conv.weight": np.ones(2, np.float32)})
    finally:
        os.umask(before)
    assert (tmp_path / "x.safetensors").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("links", [0, 500])
def test_hdf5_that_states_more_than_it_holds_is_refused(tmp_path: Path, links: int) -> None:
    with h5py.File(tmp_path / "x.caffemodel.h5", "w") as file:
        if links:
            file["data/conv/0"] = np.zeros(1 << 18, np.float32)
            for i in range(1, links):
                file[f"data/conv/{i}"] = file["data/conv/0"]
        else:
            file.create_dataset("data/conv/0", shape=(1 << 20, 1 << 20), dtype="f4", chunks=(1 << 10, 1 << 10))
    with pytest.raises(InputError, match=r"x.caffemodel.h5: '/data/conv/\d+' claims the shape .*, more than a file of"):
        read_weight_file(tmp_path / "x.caffemodel.h5")


def test_state_dicts_are_shown_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in (("a", 1.0), ("b", np.nan)):
        write_state_dict(tmp_path / f"{name}.safetensors", {"stem.conv.weight": np.full((2, 3), value, np.float32)})
    a, b = (str(tmp_path / f"{name}.safetensors") for name in "ab")
    assert main(["weights", "show", a, b]) == 0
    shown = capsys.readouterr()
    assert "PyTorch; 0.0 MB, 1 layers" in shown.out and "stem.conv" in shown.out
    assert "layer 'stem.conv' blob 0: 6 of 6 values are NaN or infinite" in shown.err
    assert (main(["weights", "diff", a, a]), main(["weights", "diff", a, b])) == (0, 1)


def test_values_that_are_no_numbers_are_told_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "n.prototxt").write_text("""layer { name: "data" type: "Input" top: "data"
        input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
        layer { name: "c" type: "Convolution" bottom: "data" top: "c"
        convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }""")
    net, file = str(tmp_path / "n.prototxt"), str(tmp_path / "w.caffemodel")
    write(tmp_path / "w.caffemodel", {"c": [np.full((2, 3, 1, 1), np.nan, np.float32)]})
    output = ["-o", str(tmp_path / "out")]
    for words in (["check", file, net], ["port", file, "--to", net, *output]):
        assert main(["weights", *words]) == 0
        assert "6 of 6 values are NaN or infinite" in capsys.readouterr().err
    main(["export", "torch", net, "-w", file, *output])
    assert "6 of 6 values are NaN or infinite" in capsys.readouterr().err

"""Shapes without memory: those of the engine for every layer type, and inputs that nobody has at hand."""

from __future__ import annotations

import tracemalloc

import pytest

import small_nets as nets
from cases import ROWS_FOLLOW_THE_VALUES, Case, collect
from deeplab_caffe import caffe
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.templates import template_values
from deeplab_caffe.inspection.shapes import infer_shapes
from deeplab_caffe.permission import allow_python_layers

_SEG_DATA = """
layer {
  name: "data" type: "ImageSegData" top: "data" top: "label" top: "data_dim" include { phase: TRAIN }
  transform_param { crop_size: 65 }
  image_data_param { source: "/nowhere/list.txt" batch_size: 4 label_type: PIXEL }
}
"""
_NET = nets.net(
    _SEG_DATA,
    nets.conv("conv", "data", "kernel_size: 3 pad: 1 stride: 8", outputs=21),
    nets.layer("Interp", "small", "label", "interp_param { shrink_factor: 8 }"),
    nets.layer("SoftmaxWithLoss", "loss", "conv small"),
)


@pytest.mark.parametrize("case", collect(), ids=lambda case: case.name)
def test_shapes_are_the_engines(case: Case, write):
    dims = {name: " ".join(f"dim: {d}" for d in array.shape) for name, array in case.bottoms.items()}
    inputs = [
        f'layer {{ name: "in_{n}" type: "Input" top: "{n}" input_param {{ shape {{ {d} }} }} }}'
        for n, d in dims.items()
    ]
    path, phase = write(nets.net(*inputs, case.text)), caffe.TRAIN if case.phase == "TRAIN" else caffe.TEST
    real, found = caffe.Net(str(path), phase), infer_shapes(path, phase=phase)
    assert found.layers[-1].params == [b.shape for b in real.layers[-1].blobs]
    shapes = {name: real.blobs[name].shape for name in found.blobs}
    if real.layers[-1].type in ROWS_FOLLOW_THE_VALUES:
        assert [shape[1:] for shape in found.blobs.values()] == [shape[1:] for shape in shapes.values()]
    else:
        assert found.blobs == shapes
    assert set(found.blobs) == {name for name in real.blobs if "_split_" not in name}


def test_nothing_is_allocated(write):
    path = write(nets.net(nets.image("2001x2001", 3), nets.conv("conv", "data", outputs=512)))
    tracemalloc.start()
    found = infer_shapes(path)
    assert found.blobs["conv"] == (1, 512, 2001, 2001)  # 8 GB
    assert all(blob.data_memory.blank for blob in (*found.net.blobs.values(), *found.net.params["conv"]))
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_data_layers_need_no_files(write):
    found = infer_shapes(write(_NET))
    assert found.state.phase == caffe.TRAIN  # by itself: in TEST there is no data
    assert found.blobs == {
        "data": (4, 3, 65, 65),
        "label": (4, 1, 65, 65),
        "data_dim": (4, 1, 1, 2),
        "conv": (4, 21, 9, 9),
        "small": (4, 1, 9, 9),
        "loss": (),
    }
    assert found.layer("conv").params == [(21, 3, 3, 3), (21,)]
    with pytest.raises(KeyError, match="no layer 'fc6'"):
        found.layer("fc6")


@pytest.mark.parametrize(
    ("wishes", "data", "label"),
    [
        ({"size": (321, 129)}, (4, 3, 321, 129), (4, 1, 321, 129)),
        ({"inputs": {"data": (1, 3, 33, 17)}}, (1, 3, 33, 17), (1, 1, 33, 17)),
        ({"inputs": {"label": (2, 1, 65, 65)}}, (2, 3, 65, 65), (2, 1, 65, 65)),
    ],
)
def test_what_stands_beside_a_changed_input_follows(write, wishes, data, label):
    found = infer_shapes(write(_NET), **wishes)
    assert (found.blobs["data"], found.blobs["label"]) == (data, label)
    assert found.blobs["data_dim"] == (data[0], 1, 1, 2)


_DATA_LAYERS = {
    "ImageData crop": ('image_data_param { source: "x" }', 9, [(1, 3, 9, 9), (1,)]),
    "ImageData size": ("image_data_param { new_height: 4 new_width: 5 is_color: false }", 0, [(1, 1, 4, 5), (1,)]),
    "Data": ('data_param { source: "x" batch_size: 2 }', 9, [(2, 3, 9, 9), (2,)]),
    "WindowData": ('window_data_param { source: "x" batch_size: 2 }', 9, [(2, 3, 9, 9), (2,)]),
    "MemoryData": ("memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 }", 0, [(2, 3, 4, 5), (2,)]),
    "ImageSegData": ('image_data_param { source: "x" }', 9, [(1, 3, 9, 9), (1, 1, 9, 9)]),
}


@pytest.mark.parametrize("kind", _DATA_LAYERS)
def test_data_layers_of_every_kind(write, kind):
    more, crop, shapes = _DATA_LAYERS[kind]
    more += f" transform_param {{ crop_size: {crop} }}" if crop else ""
    path = write(nets.layer(kind.split()[0], "data", "", more, tops="a b"))
    assert list(infer_shapes(path).blobs.values()) == shapes


def test_shapes_that_only_files_know_may_be_stated(write):
    text = 'layer { name: "d" type: "HDF5Data" top: "a" top: "b" hdf5_data_param { source: "nowhere" batch_size: 2 } }'
    with pytest.raises(
        InputError, match=r"net.prototxt:1:1: layer 'd' \(HDF5Data\): .*nowhere.*: --input a=1,3,321,321"
    ):
        infer_shapes(write(text))
    assert infer_shapes(write(text), inputs={"a": (2, 5), "b": (2,)}).blobs == {"a": (2, 5), "b": (2,)}
    with pytest.raises(InputError, match="--input c: no data layer makes this blob .they make a, b"):
        infer_shapes(write(text), inputs={"a": (2, 5), "b": (2,), "c": (1,)})


def test_looking_changes_nothing(write, tmp_path):
    kept = write("important", "kept.h5")
    sinks = [
        nets.layer("HDF5Output", "out", "data label", f'hdf5_output_param {{ file_name: "{kept}" }}', tops=" "),
        nets.layer("MatWrite", "mat", "data", 'mat_write_param { prefix: "p" source: "/nowhere" }', tops=" "),
        nets.layer("InfogainLoss", "loss", "data label", 'infogain_loss_param { source: "/nowhere" }'),
    ]
    found = infer_shapes(write(nets.net(nets.image("1x1"), nets.image("1x1", name="label"), *sinks)))
    assert found.blobs["loss"] == ()
    assert kept.read_text() == "important"


@pytest.fixture
def no_python_layers():
    allow_python_layers(False)
    yield
    allow_python_layers()


def test_python_layers_are_not_run_unless_that_is_allowed(write, no_python_layers):
    path = write(
        nets.net(nets.image(), nets.layer("Python", "mine", "data", 'python_param { module: "no_such" layer: "Mine" }'))
    )
    with pytest.raises(InputError, match=r"net.prototxt:2:1: layer 'mine' \(Python\): .*--allow-python-layers"):
        infer_shapes(path)
    assert infer_shapes(path, inputs={"mine": (1, 2)}).blobs["mine"] == (1, 2)


def test_a_solver_stands_for_its_net(write):
    write(_NET, "train.prototxt")
    solver = write('train_net: "elsewhere/train.prototxt" base_lr: 0.1 lr_policy: "fixed"', "solver.prototxt")
    assert infer_shapes(solver).blobs["conv"] == (4, 21, 9, 9)
    with pytest.raises(InputError, match="solver.prototxt: the solver has no net"):
        infer_shapes(write("base_lr: 0.1", "solver.prototxt"))


def test_templates_are_filled_in(write):
    path = write(nets.net(nets.image(), nets.conv("fc8_${EXP}", "data", "kernel_size: 1", outputs="${N}")))
    found = infer_shapes(path, variables=template_values(["EXP=voc12", "N=21"], {}))
    assert found.blobs["fc8_voc12"] == (1, 21, 33, 33)
    with pytest.raises(InputError, match=r"'fc8_\$\{EXP\}'"):
        infer_shapes(path, variables=template_values(["N=21"], {}))
    with pytest.raises(InputError, match="--set N: expected NAME=value"):
        template_values(["N"])


def test_tolerant_inference_goes_round_what_does_not_fit(write):
    path = write(
        nets.net(
            nets.image("9x9"),
            nets.conv("too_large", "data", "kernel_size: 11"),
            nets.conv("behind", "too_large"),
            nets.conv("nowhere", "dtaa"),
            nets.conv("sound", "data"),
        )
    )
    found = infer_shapes(path, tolerant=True)
    assert [str(error).split(": ")[1] for error in sorted(found.errors, key=str)] == [
        "layer 'too_large' (Convolution)",
        "layer 'nowhere' (Convolution)",
    ]
    shapes = {"data": (1, 1, 9, 9), "too_large": None, "behind": None, "nowhere": None, "sound": (1, 1, 9, 9)}
    assert found.blobs == shapes
    with pytest.raises(InputError, match="'dtaa' is made by no layer before this one; did you mean 'data'"):
        infer_shapes(path)


def test_tolerant_inference_goes_round_all_that_is_behind_a_missing_layer(write):
    chain = ("nowhere", "dtaa"), ("behind", "nowhere"), ("further", "behind"), ("sound", "data")
    path = write(nets.net(nets.image("9x9"), *(nets.conv(name, bottom) for name, bottom in chain)))
    found = infer_shapes(path, tolerant=True)
    assert [str(error).split(": ")[1] for error in found.errors] == ["layer 'nowhere' (Convolution)"]
    shapes = {"data": (1, 1, 9, 9), "nowhere": None, "behind": None, "further": None, "sound": (1, 1, 9, 9)}
    assert found.blobs == shapes

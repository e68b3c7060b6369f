"""The "Python" layer: a user's class in the net, and the refusal to import its module where that is not allowed."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from deeplab_caffe import caffe, permission
from deeplab_caffe.errors import InputError


class Twice(caffe.Layer):
    """Multiplies by a number and a parameter; counts its calls."""

    def setup(self, bottom, top):
        assert len(bottom) == 1
        self.calls = ["setup"]
        self.factor = float(self.param_str)
        self.blobs.add_blob(1)
        self.blobs[0].data[...] = 1

    def reshape(self, bottom, top):
        self.calls.append("reshape")
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.factor * self.blobs[0].data * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += (self.factor * bottom[0].data * top[0].diff).sum()
        if propagate_down[0]:
            bottom[0].diff[...] = self.factor * self.blobs[0].data * top[0].diff


_TEXT = 'type: "Python" python_param { module: "%s" layer: "%s" param_str: "3" } loss_weight: 1'


@pytest.fixture
def module(monkeypatch) -> str:
    """The name of a module that the program has imported already."""
    loaded = types.ModuleType("some_users_layers")
    loaded.Twice, loaded.NoLayer = Twice, object
    monkeypatch.setitem(sys.modules, "some_users_layers", loaded)
    return "some_users_layers"


def test_what_a_users_class_sees(layer, module):
    built = layer(_TEXT % (module, "Twice"), [[1.0, 2]], phase=caffe.TRAIN)
    own = built.layer_dict["layer"]
    assert (own.type, own.phase, own.param_str) == ("Python", caffe.TRAIN, "3")
    assert built.blobs["top"].data.tolist() == [[3, 6]]
    assert own.calls == ["setup", "reshape", "reshape"]


def test_gradients_and_parameters(layer, module):
    built = layer(_TEXT % (module, "Twice"), [[1.0, 2]], back=True)
    built.backward()
    assert built.blobs["in0"].diff.tolist() == [[3, 3]]
    assert built.params["layer"][0].diff.tolist() == [9]
    assert [p.blob.shape for p in built.learnable_params] == [(1,)]


def test_other_sizes_and_live_views(layer, module):
    built = layer(_TEXT % (module, "Twice"), [[1.0, 2]])
    top = built.blobs["top"].data
    built.blobs["in0"].data[...] = 5
    built.forward()
    assert top.tolist() == [[15, 15]]
    built.blobs["in0"].reshape(3, 1)
    built.blobs["in0"].data[...] = 1
    assert built.forward()["top"].tolist() == [[3], [3], [3]]


def test_between_other_layers(net, module):
    built = net(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }'
        'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 1 } }'
        f'layer {{ name: "py" bottom: "ip" top: "y" {_TEXT % (module, "Twice")} }}',
        caffe.TRAIN,
    )
    built.forward(x=np.array([[1, 10]]))
    built.backward()
    assert built.params["ip"][0].diff.tolist() == [[3, 30]]


def test_importing_must_be_allowed(layer, tmp_path, monkeypatch):
    (tmp_path / "layers_of_a_stranger.py").write_text(
        "from deeplab_caffe import caffe\n"
        "class Zero(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(1)\n"
        "    def forward(self, bottom, top): top[0].data[...] = 0\n"
        "    def backward(self, top, propagate_down, bottom): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(permission, "_allowed", False)
    text = _TEXT % ("layers_of_a_stranger", "Zero")
    with pytest.raises(InputError) as caught:
        layer(text, [[1.0]])
    assert "net.prototxt:2:1: layer 'layer' (Python): would import the module 'layers_of_a" in str(caught.value)
    assert "--allow-python-layers" in str(caught.value)
    assert "layers_of_a_stranger" not in sys.modules
    caffe.allow_python_layers()
    assert layer(text, [[1.0]]).blobs["top"].data.tolist() == [0]
    monkeypatch.delitem(sys.modules, "layers_of_a_stranger")


def test_modules_and_classes_that_are_not_there(layer, module, monkeypatch):
    monkeypatch.setattr(permission, "_allowed", True)
    with pytest.raises(InputError, match=r"\(Python\): no module 'no_such_module' on sys\.path"):
        layer(_TEXT % ("no_such_module", "X"), [[1.0]])
    for name in ("Gone", "NoLayer"):
        with pytest.raises(InputError, match=rf"has no class '{name}' derived from caffe\.Layer"):
            layer(_TEXT % (module, name), [[1.0]])


def test_an_error_in_the_users_code_comes_through(layer, module):
    with pytest.raises(ValueError, match="could not convert string to float: 'x'"):
        layer((_TEXT % (module, "Twice")).replace('"3"', '"x"'), [[1.0]])

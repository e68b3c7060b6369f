"""The shapes behind the names of layers."""

from __future__ import annotations

from lsprotocol import types

from deeplab_caffe.language_server.buffers import Buffer
from deeplab_caffe.language_server.features.inlay_hints import inlay_hints
from deeplab_caffe.language_server.settings import Settings
from deeplab_caffe.language_server.workspace import Workspace

_INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: %d dim: 3 dim: 9 dim: 9 } } %s }\n'
NET = (
    _INPUT % (4, "include { phase: TRAIN }")
    + _INPUT % (1, "include { phase: TEST }")
    + """\
layer {
  name: "é𝜃"
  type: "Convolution"
  bottom: "data"
  top: "c"
  convolution_param { num_output: 2 kernel_size: 3 }
}
layer { name: "slice" type: "Slice" bottom: "c" top: "a" top: "b" include { phase: TEST } }
layer { name: "quiet" type: "Silence" bottom: "c" }
"""
)
_ALL = types.Range(types.Position(0, 0), types.Position(999, 0))


def hints(text: str, where: types.Range = _ALL, **settings: bool) -> list[tuple[int, int, str]]:
    found = inlay_hints(Workspace(settings=Settings(**settings)), Buffer("file:///n", "/n", text, 1), where)
    return [(hint.position.line, hint.position.character, str(hint.label)) for hint in found]


def test_shapes_of_each_state():
    assert hints(NET) == [
        (0, 20, "4×3×9×9"),
        (1, 20, "1×3×9×9"),
        (3, 13, "TRAIN 4×2×7×7 · TEST 1×2×7×7"),
        (9, 21, "a 1×1×7×7, b 1×1×7×7"),
    ]


def test_only_what_is_in_the_range():
    assert [line for line, _, _ in hints(NET, types.Range(types.Position(1, 0), types.Position(4, 0)))] == [1, 3]


def test_they_can_be_turned_off():
    assert hints(NET, inlay_hints=False) == []


def test_what_is_not_known_has_no_hint():
    assert [line for line, _, _ in hints(NET.replace("num_output: 2", "num_output:"))] == [0, 1]
    assert hints("base_lr: 1") == hints("") == []


def test_layers_of_2013():
    text = 'input: "data"\ninput_dim: [1, 3, 4, 4]\nlayers { layer { name: "c" type: "relu" } bottom: "data" top: "c" }'
    assert hints(text) == [(2, 26, "1×3×4×4")]

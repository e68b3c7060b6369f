"""What is at the cursor, in whole and in broken text; `|` is the cursor."""

import pytest

from deeplab_caffe.language_server.places import place_at


@pytest.mark.parametrize(
    ("text", "on", "name", "prefix", "message", "layer"),
    [
        ("layer { name: 'a' ty|pe: 'ReLU' }", "name", "type", "ty", "LayerParameter", "a"),
        ("layer { name: 'a' type: 'Re|LU' }", "value", "type", "Re", "LayerParameter", "a"),
        ("layer { name: 'a' | }", "between", "", "", "LayerParameter", "a"),
        ("|layer { }", "name", "layer", "", "NetParameter", None),
        ("layer { }\n|", "between", "", "", "NetParameter", None),
        ("layer {\n  name: 'a'\n  bottom: \"con|", "value", "bottom", "con", "LayerParameter", "a"),
        ("layer { name: 'a' convolution_param { ker| } }", "name", "ker", "ker", "ConvolutionParameter", "a"),
        ("layer { name: 'a' convolution_param { num_output: | } }", "value", "num_output", "", "ConvolutionParameter", "a"),
        ("layer { name: 'a' pooling_param { pool: M|AX } }", "value", "pool", "M", "PoolingParameter", "a"),
        ("layers { name: 'a' type: CONV|OLUTION }", "value", "type", "CONV", "V1LayerParameter", "a"),
        ("layers { layer { name: 'a' typ| } }", "name", "typ", "typ", "V0LayerParameter", None),
        ("base_lr: 0.1\nnet: 'a/|b'", "value", "net", "a/", "SolverParameter", None),
        ("layer { name: 'a' # ty|pe\n }", "between", "", "", "LayerParameter", "a"),
        ("layer { name: 'a' foo_param { x: |1 } }", "value", "x", "", None, "a"),
        ("layer { name: 'a' source: '${RO|OT}/x' }", "value", "source", "${RO", "LayerParameter", "a"),
    ],
)  # fmt: skip
def test_place(opened, text, on, name, prefix, message, layer):
    place = place_at(opened(text.replace("|", "")), text.index("|"))
    found = place.layer and place.layer.value.text_of("name")
    assert (place.on, place.name, place.prefix) == (on, name, prefix)
    assert ((place.message and place.message.name), found) == (message, layer)


def test_every_offset_of_a_broken_text_has_a_place(opened):
    text = "layer { name: 'a' top: [ 'b', \n  type: \"ReLU\nlayer { x y: { <\n 'q' ${A} } # c\n"
    buffer = opened(text)
    for offset in range(len(text) + 1):
        place = place_at(buffer, offset)
        assert place.start <= offset and place.prefix == text[place.start : offset] or place.in_comment

"""Cases of the layers that make data out of nothing; those that read files have tests of their own."""

from __future__ import annotations

from cases import Case

CASES = [
    Case(
        "dummy_constant",
        'layer { name: "layer" type: "DummyData" top: "y" dummy_data_param { shape { dim: 2 dim: 3 } '
        "data_filler { value: 3 } } }",
        {},
    ),
    Case(
        "dummy_random",
        'layer { name: "layer" type: "DummyData" top: "y" top: "z" dummy_data_param { num: 2 channels: 3 height: 1 '
        'width: 2 data_filler { type: "gaussian" std: 2 } data_filler { type: "uniform" min: -1 max: 1 } } }',
        {},
        random=True,
    ),
]

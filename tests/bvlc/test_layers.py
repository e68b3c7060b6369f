"""The shipped Python layers against the native ones and against recordings of a C++ Caffe, value by value."""

from __future__ import annotations

import numpy as np
import pytest

import recordings
from bvlc.dialects import assert_agree, in_bvlc, net_of, one_layer, run
from cases import Case, collect
from deeplab_caffe import caffe
from deeplab_caffe.formats.bvlc_schema import PYTHON_TYPES

_CASES = [case for case in collect() if case.type in PYTHON_TYPES]
_RECORDED = [name for name in recordings.recorded() if recordings.layer_type(name) in PYTHON_TYPES]


def _compare(text: str, bottoms: dict[str, np.ndarray], learned=(), phase=caffe.TEST, forwards: int = 1) -> None:
    whole = one_layer(text, bottoms, learned)
    native = run(net_of(whole, phase), bottoms, learned, forwards)
    assert_agree(run(net_of(in_bvlc(whole), phase), bottoms, learned, forwards), native)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name)
def test_as_the_native_layer(case: Case) -> None:
    phase = caffe.TRAIN if case.phase == "TRAIN" else caffe.TEST
    _compare(case.text, dict(case.bottoms), case.differentiable, phase)


@pytest.mark.parametrize("name", _RECORDED)
def test_as_recorded(name: str) -> None:
    for comparison in recordings.compare(name, rewrite=in_bvlc):
        assert comparison.error <= comparison.tolerance, comparison

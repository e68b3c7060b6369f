"""What may be caught as what: an InputError is also the exception that pycaffe raises, and the one that Python does."""

from __future__ import annotations

import pytest

from deeplab_caffe.caffe.layer_types.window_file import read_windows
from deeplab_caffe.crf.search.result import SearchResult
from deeplab_caffe.errors import InputError


@pytest.mark.parametrize("kind", [RuntimeError, ValueError])
def test_input_errors_are_caught_as_both(kind):
    with pytest.raises(kind, match="the message"):
        raise InputError("the message")


def test_an_input_error_passes_where_a_value_error_becomes_another_message(tmp_path):
    path = tmp_path / "windows.txt"
    path.write_text("# 0\nimage.jpg\n3\n")
    with pytest.raises(InputError, match="windows.txt:3: the file ends"):
        read_windows(str(path))
    best = '{"w1": -1, "sigma_alpha": 1, "sigma_beta": 1, "w2": 1, "sigma_gamma": 1, "iterations": 1}'
    with pytest.raises(InputError, match="^CRF: w1"):
        SearchResult.from_json(f'{{"rows": [], "best": {best}}}')

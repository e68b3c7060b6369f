"""CRF parameters: names, ranges, presets, JSON."""

from __future__ import annotations

import dataclasses
import math

import pytest

from deeplab_caffe.crf import PRESETS, CRFParameters, preset
from deeplab_caffe.errors import InputError

GOOD = CRFParameters(w1=4, sigma_alpha=67, sigma_beta=3, w2=2, sigma_gamma=1, iterations=5, normalization="symmetric")


def test_caffe_names_mean_the_same_parameters():
    caffe = CRFParameters.from_caffe(bi_w=4, bi_xy_std=67, bi_rgb_std=3, pos_w=2, pos_xy_std=1, max_iter=5)
    assert caffe == dataclasses.replace(GOOD, normalization="after")
    assert CRFParameters.from_caffe(**caffe.to_caffe()) == caffe


def test_pydensecrf_names_mean_the_same_parameters():
    theirs = GOOD.to_pydensecrf()
    assert theirs["bilateral"] == {"sxy": 67, "srgb": 3, "compat": 4}
    assert CRFParameters.from_pydensecrf(**theirs, iterations=5) == GOOD
    with pytest.raises(InputError, match="gaussian has sxy; wanted compat, sxy"):
        CRFParameters.from_pydensecrf(bilateral=theirs["bilateral"], gaussian={"sxy": 3})


def test_json_round_trip_in_both_vocabularies(tmp_path):
    assert CRFParameters.from_json(GOOD.to_json()) == GOOD
    assert CRFParameters.from_json('{"bi_w": 4, "bi_xy_std": 67, "bi_rgb_std": 3}') == CRFParameters(4, 67, 3)
    GOOD.save(tmp_path / "crf.json")
    assert CRFParameters.load(tmp_path / "crf.json") == GOOD


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("w1", -1, "w1 (Caffe: bi_w) is -1, wanted a finite number, zero or more"),
        ("sigma_alpha", 0, "sigma_alpha (Caffe: bi_xy_std) is 0, wanted a finite number, more than zero"),
        ("sigma_beta", math.nan, "sigma_beta (Caffe: bi_rgb_std) is nan"),
        ("sigma_gamma", math.inf, "sigma_gamma (Caffe: pos_xy_std) is inf"),
        ("w2", "many", "w2 (Caffe: pos_w) is 'many'"),
        ("iterations", -1, "iterations is -1, wanted a whole number"),
        ("iterations", 2.5, "iterations is 2.5"),
        ("iterations", "ten", "iterations is 'ten'"),
        ("normalization", "before", "normalization is 'before', wanted one of after, symmetric"),
    ],
)
def test_values_out_of_range_are_refused(field, value, message):
    with pytest.raises(InputError) as error:
        dataclasses.replace(GOOD, **{field: value})
    assert message in str(error.value)


def test_presets_name_their_source():
    assert preset("DeepLabv2-ResNet-101") == CRFParameters(5, 21, 3, 4, 1)
    assert all(entry.source for entry in PRESETS.values())
    with pytest.raises(InputError, match=r"no preset 'deeplab'; did you mean 'DeepLab'\?; known: default, DeepLab,"):
        preset("deeplab")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[1]", "expected a JSON object, got list"),
        ('{"w1": 1, "sigma_alpha": 2}', "sigma_beta missing"),
        ('{"w1": 1, "sigma_alpha": 2, "sigma_beta": 3, "gamma": 4}', "unknown gamma; known: w1"),
    ],
)
def test_bad_json_is_refused_with_the_files_name(tmp_path, text, message):
    path = tmp_path / "crf.json"
    path.write_text(text)
    with pytest.raises(InputError, match="crf.json: .*" + message):
        CRFParameters.load(path)

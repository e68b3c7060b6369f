"""Each rule finds the mistake it is for, where it stands, and nothing in what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

import lint_nets
from deeplab_caffe.formats.templates import template_values
from deeplab_caffe.inspection.lint import RULES, Finding, Linter, chosen
from lint_plants import PLANTED

CASES = [(name, plant) for name, plants in PLANTED.items() for plant in plants]


def _lint(solver: Path, *also: str) -> list[Finding]:
    linter = Linter(chosen(also=also), template_values([], {}))
    return linter.lint(solver) + linter.lint(solver.with_name("test.prototxt"))


def test_nothing_is_found_in_what_is_right(tmp_path):
    assert _lint(lint_nets.write(tmp_path)) == []


def test_every_rule_has_a_planted_mistake():
    assert set(PLANTED) == set(RULES)
    assert len(RULES) >= 25


@pytest.mark.parametrize(("name", "plant"), CASES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CASES)])
def test_the_planted_mistake_is_found(name, plant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    solver = lint_nets.write(tmp_path, plant.file, plant.old, plant.new, plant.count)
    found = [f for f in _lint(solver, "missing-file") if f.rule == name]
    text = (tmp_path / f"{plant.file}.prototxt").read_text().splitlines(keepends=True)
    hits = [f for f in found if plant.says in f.message + f.advice]
    assert hits, f"found {found or 'nothing'}"
    (hit, *_) = hits
    assert Path(hit.file).name == f"{plant.file}.prototxt"
    rest = "".join([text[hit.line - 1][hit.column - 1 :], *text[hit.line :]])
    assert rest.startswith(plant.at), rest[:60]
    assert hit.advice and hit.severity == RULES[name].severity


# -- what is right in public files

_DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 33, 33] } } }'
_CONV = 'layer {{ name: "{0}" type: "Convolution" bottom: "{1}" top: "{0}" convolution_param {{ {2} }} }}'


def _rules(tmp_path: Path, *layers: str) -> list[str]:
    path = tmp_path / "net.prototxt"
    path.write_text("\n".join(layers))
    return [finding.rule for finding in Linter(chosen()).lint(path)]


def test_a_frozen_deconvolution_of_a_deploy_net_needs_no_filler(tmp_path):
    up = 'layer { name: "up" type: "Deconvolution" bottom: "data" top: "up" param { lr_mult: 0 } '
    up += "convolution_param { num_output: 3 kernel_size: 4 stride: 2 bias_term: false } }"
    assert _rules(tmp_path, _DATA, up) == []
    assert RULES["deconvolution-filler"].severity == "note"


def test_a_name_is_repeated_only_where_weights_are_found_by_it(tmp_path):
    relu = 'layer { name: "relu" type: "ReLU" bottom: "data" top: "data" }'
    assert _rules(tmp_path, _DATA, relu, relu) == ["relu-after-wrong-blob"]
    convs = [_CONV.format("c", "data", "num_output: 1 kernel_size: 1").replace('top: "c"', f'top: "{t}"') for t in "ab"]
    assert _rules(tmp_path, _DATA, *convs) == ["repeated-name"]
    assert _rules(tmp_path, _DATA, relu.replace('"relu"', '"c"'), convs[0]) == []


def test_a_phase_without_data_is_not_one_that_the_file_is_for(tmp_path):
    only = _DATA.replace("input_param", "include { phase: TRAIN } input_param")
    noise = _DATA.replace('"data"', '"noise"')
    add = 'layer { name: "sum" type: "Eltwise" bottom: "data" bottom: "noise" top: "sum" }'
    assert _rules(tmp_path, only, noise, add) == []
    test = only.replace("TRAIN", "TEST").replace('top: "data"', 'top: "date"')
    assert "dangling-bottom" in _rules(tmp_path, only, test, noise, add)
    assert _rules(tmp_path, only, noise, add.replace('"data"', '"dat"')).count("dangling-bottom") == 2


def test_layers_of_several_stages_at_once(tmp_path):
    staged = 'layer { name: "r" type: "ReLU" bottom: "data" top: "r" include { stage: "a" stage: "b" } }'
    last = 'layer { name: "p" type: "Power" bottom: "r" top: "p" }'
    assert _rules(tmp_path, _DATA, staged, last) == []


@pytest.mark.parametrize(
    ("first", "second", "found"), [("TanH", "AbsVal", 0), ("ReLU", "Clip", 0), ("ReLU", "TanH", 1)]
)
def test_activations_that_stand_behind_another(tmp_path, first, second, found):
    more = "clip_param { min: 0 max: 6 }" if second == "Clip" else ""
    layers = [
        f'layer {{ name: "a" type: "{first}" bottom: "data" top: "a" }}',
        f'layer {{ name: "b" type: "{second}" bottom: "a" top: "b" {more} }}',
    ]
    assert _rules(tmp_path, _DATA, *layers).count("relu-after-wrong-blob") == found


def test_a_net_that_pads_nowhere_is_meant_to_shrink(tmp_path):
    dilated = _CONV.format("d", "c", "num_output: 2 kernel_size: 3 dilation: 2")
    relu = 'layer { name: "r" type: "ReLU" bottom: "c" top: "c" }'
    for pad, found in (("", []), ("pad: 1", ["dilation-pad"])):
        first = _CONV.format("c", "data", f"num_output: 2 kernel_size: 3 {pad}")
        assert _rules(tmp_path, _DATA, first, relu, dilated) == found


def test_a_solver_for_step_needs_no_max_iter(tmp_path):
    solver = lint_nets.write(tmp_path, "solver", "max_iter: 6000\n", "")
    assert [(f.rule, f.severity) for f in _lint(solver)] == [("max-iter", "note")]

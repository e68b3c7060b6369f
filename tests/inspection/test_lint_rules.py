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

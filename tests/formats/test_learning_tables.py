"""The tables of learning rate policies, solver types and fillers against the schema and what the engine does."""

from __future__ import annotations

import pytest

from deeplab_caffe import caffe
from deeplab_caffe.caffe.filler import fill
from deeplab_caffe.caffe.solver.learning_rate import check, rate
from deeplab_caffe.caffe.solver.rules import SOLVERS
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats import schema
from deeplab_caffe.formats.definition import SolverDefinition
from deeplab_caffe.formats.filler_types import FILLER_TYPES
from deeplab_caffe.formats.lr_policies import FIELDS, LR_POLICIES
from deeplab_caffe.formats.solver_types import SOLVER_TYPES
from deeplab_caffe.nets.solver_recipes import POLICIES

_VALUES = {"gamma": 0.5, "power": 0.9, "stepsize": 7}
_SHAPE = (6, 4, 3, 3)


def _solver(policy: str, **changed):
    return schema.SolverParameter(base_lr=0.1, lr_policy=policy, max_iter=100, **{**_VALUES, **changed})


@pytest.mark.parametrize("name", LR_POLICIES)
def test_a_policy_uses_the_fields_that_it_needs_and_no_others(name: str) -> None:
    plain = [rate(_solver(name), iteration, 3) for iteration in (10, 40)]
    for field, value in (("gamma", 0.25), ("power", 0.4), ("stepsize", 9)):
        changed = [rate(_solver(name, **{field: value}), iteration, 3) for iteration in (10, 40)]
        assert (changed != plain) == (field in LR_POLICIES[name].needs), field
    reads_steps = rate(_solver(name), 10, 1) != rate(_solver(name), 10, 2)
    assert reads_steps == ("stepvalue" in LR_POLICIES[name].needs)


@pytest.mark.parametrize("name", LR_POLICIES)
def test_a_policy_refuses_what_its_row_says(name: str) -> None:
    row = LR_POLICIES[name]
    assert {*row.needs, *row.unused} == set(FIELDS)
    check(SolverDefinition(_solver(name), "s"))
    for field, wrong, fields in (("stepsize", 0, row.positive), ("max_iter", 0, row.positive),
                                 ("gamma", -1, row.non_negative)):  # fmt: skip
        param = _solver(name)
        setattr(param, field, wrong)
        if field in fields:
            with pytest.raises(InputError, match=field):
                check(SolverDefinition(param, "s"))
        else:
            check(SolverDefinition(param, "s"))


def test_generated_solvers_have_known_policies() -> None:
    assert set(POLICIES) <= set(LR_POLICIES)


def test_solver_types_are_the_engines_and_those_of_the_enum() -> None:
    assert list(SOLVERS) == list(SOLVER_TYPES)
    assert [row.old_word for row in SOLVER_TYPES.values()] == list(schema.SolverParameter.SolverType.keys())
    assert {f"{name}Solver" for name in SOLVER_TYPES} <= set(dir(caffe))


@pytest.mark.parametrize("name", FILLER_TYPES)
def test_a_filler_does_what_its_row_says(name: str) -> None:
    row = FILLER_TYPES[name]
    values = fill(_SHAPE, schema.FillerParameter(type=name, value=0.5, max=1, std=1))
    assert (values.unique().numel() == 1) == row.one_value
    assert set(row.fields) <= set(schema.FillerParameter.DESCRIPTOR.fields_by_name)
    for shape in ((6, 4), (6, 4, 3, 5)):
        if row.square_kernels:
            with pytest.raises(InputError, match="square"):
                fill(shape, schema.FillerParameter(type=name))
        else:
            fill(shape, schema.FillerParameter(type=name))


@pytest.mark.parametrize("name", FILLER_TYPES)
def test_a_filler_uses_the_fields_of_its_row(name: str) -> None:
    stated = {"value": 0.5, "min": -1, "max": 1, "mean": 0.1, "std": 0.2}
    changed = {"value": 2, "min": -3, "max": 4, "mean": 5, "std": 6, "variance_norm": 1}
    results = []
    for field in (None, *changed):
        caffe.set_random_seed(3)
        more = {field: changed[field]} if field else {}
        results.append(fill(_SHAPE, schema.FillerParameter(type=name, **{**stated, **more})))
    used = {field for field, result in zip(changed, results[1:], strict=True) if not result.equal(results[0])}
    assert used == set(FILLER_TYPES[name].fields) - {"sparse"}

"""Learning rate policies against their formulas, at the edges and beyond the range."""

from __future__ import annotations

import math

import pytest

from deeplab_caffe.caffe.solver.learning_rate import check, rate
from deeplab_caffe.errors import InputError
from deeplab_caffe.formats.definition import SolverDefinition


@pytest.fixture
def solver(message):
    return lambda text: message(f"base_lr: 0.1 {text}", "SolverParameter")


@pytest.mark.parametrize(
    ("text", "iteration", "expected"),
    [
        ('lr_policy: "fixed"', 10**6, 0.1),
        ('lr_policy: "step" gamma: 0.5 stepsize: 10', 9, 0.1),
        ('lr_policy: "step" gamma: 0.5 stepsize: 10', 10, 0.05),
        ('lr_policy: "step" gamma: 0.5 stepsize: 10', 39, 0.0125),
        ('lr_policy: "step" gamma: 0 stepsize: 10', 9, 0.1),
        ('lr_policy: "exp" gamma: 0.9', 3, 0.0729),
        ('lr_policy: "exp" gamma: 1.5', 10**5, math.inf),
        ('lr_policy: "inv" gamma: 0.1 power: 0.75', 30, 0.1 * 4**-0.75),
        ('lr_policy: "poly" power: 0.9 max_iter: 100', 0, 0.1),
        ('lr_policy: "poly" power: 0.9 max_iter: 100', 99, 0.1 * 0.01**0.9),
        ('lr_policy: "poly" power: 0.9 max_iter: 100', 100, 0),
        ('lr_policy: "poly" power: 1 max_iter: 100', 150, -0.05),
        ('lr_policy: "sigmoid" gamma: 1 stepsize: 50', 50, 0.05),
        ('lr_policy: "sigmoid" gamma: -1 stepsize: 50', 53, 0.1 / (1 + math.exp(3))),
        ('lr_policy: "sigmoid" gamma: 1 stepsize: 5000', 0, 0),
        ('lr_policy: "sigmoid" gamma: 1 stepsize: 5', 5000, 0.1),
    ],
)
def test_rates(solver, text, iteration, expected):
    assert rate(solver(text), iteration, 0) == pytest.approx(expected, rel=1e-5)


def test_poly_beyond_the_last_iteration_is_no_number(solver):
    assert math.isnan(rate(solver('lr_policy: "poly" power: 0.9 max_iter: 100'), 101, 0))


@pytest.mark.parametrize(("steps", "expected"), [(0, 0.1), (1, 0.01), (3, 0.0001)])
def test_multistep_goes_by_the_steps_reached(solver, steps, expected):
    assert rate(solver('lr_policy: "multistep" gamma: 0.1'), 5, steps) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('lr_policy: "polly"', "s: unknown lr_policy 'polly'; did you mean 'poly'? (the policies: fixed, step,"),
        ("", "s: unknown lr_policy ''"),
        ('lr_policy: "step" gamma: 1', "s: lr_policy 'step' needs a positive stepsize, got 0"),
        ('lr_policy: "sigmoid" stepsize: -1', "s: lr_policy 'sigmoid' needs a positive stepsize, got -1"),
        ('lr_policy: "exp" gamma: -1', "s: gamma is -1, wanted 0 or more"),
        ('lr_policy: "poly"', "s: lr_policy 'poly' needs a positive max_iter"),
    ],
)
def test_policies_that_lack_something(solver, text, expected):
    with pytest.raises(InputError) as caught:
        check(SolverDefinition(solver(text), "s"))
    assert expected in str(caught.value)

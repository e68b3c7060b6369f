"""What the shared tolerances allow, and what they do not."""

from __future__ import annotations

import numpy as np
import pytest

from tolerances import EPS, SUM, assert_same_lines, assert_same_sums, printed, same_line


@pytest.mark.parametrize(
    ("theirs", "allowed", "refused"),
    [
        ("1.83122", ("1.83122", "1.83121", "1.83123"), ("1.8312", "1.83124")),
        ("0.0001", ("0.0001", "9.99999e-05", "0.000100001"), ("0.000100002", "9.99988e-05")),
        ("9.99999", ("10", "9.99998", "9.99997"), ("10.0001", "9.99996")),
        ("-2.5", ("-2.50001",), ("2.5", "-2.50002")),
        ("0", ("0", "-0"), ("1e-12",)),
    ],
)
def test_a_printed_number_may_differ_by_a_unit_and_the_rounding_of_a_sum(theirs, allowed, refused):
    assert all(float(number) == printed(theirs) for number in allowed)
    assert not any(float(number) == printed(theirs) for number in refused)


@pytest.mark.parametrize(
    ("ours", "same"),
    [
        ("solver.cpp:228] Iteration 6, loss = 0.35931", False),
        ("solver.cpp:228] Iteration 6, loss = 0.359318", True),
        ("solver.cpp:228] Iteration 7, loss = 0.359317", False),
        ("solver.cpp:229] Iteration 6, loss = 0.359317", False),
        ("solver.cpp:228] Iteration 6, mean = 0.359317", False),
        ("solver.cpp:228] Iteration 6, loss = 0.359317 (1)", False),
    ],
)
def test_words_and_whole_numbers_of_a_line_are_exact(ours, same):
    assert same_line(ours, "solver.cpp:228] Iteration 6, loss = 0.359317") is same


def test_large_whole_numbers_are_exact():
    assert not same_line("Memory required for data: 1234567", "Memory required for data: 1234568")


def test_lines_that_differ_are_shown():
    with pytest.raises(AssertionError, match="expected 'a 0.5', got 'a 0.25'"):
        assert_same_lines(["a 0.5", "a 0.25"], ["a 0.5", "a 0.5"])
    with pytest.raises(AssertionError):
        assert_same_lines(["a"], ["a", "b"])


def test_two_orders_of_a_sum_lie_within_what_a_sum_is_allowed():
    terms = np.random.default_rng(0).uniform(-1, 1, (200, 1024)).astype(np.float32)
    one_by_one = np.cumsum(terms, axis=1, dtype=np.float32)[:, -1]
    in_pairs = terms.sum(1)
    differences = np.abs(one_by_one - in_pairs) / np.abs(terms).sum(1)
    assert EPS / 8 < differences.max() < SUM


def test_tensors_of_other_shapes_are_refused_though_they_broadcast():
    assert_same_sums(np.ones((2, 3)), np.ones((2, 3)) + 9e-6)
    for other in (np.ones((2, 3)) + 2e-5, np.ones(3), np.full((2, 3), np.nan)):
        with pytest.raises(AssertionError):
            assert_same_sums(np.ones((2, 3)), other)

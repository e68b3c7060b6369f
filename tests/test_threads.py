"""`mapped`: order, bounds and errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from deeplab_caffe.threads import mapped
from deeplab_caffe.words import for_people, some_lines, some_of


def test_results_keep_the_order_and_few_items_are_taken_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = mapped(lambda number: number * number, items(), ahead=5)
    assert next(results) == 0
    assert len(taken) <= 6
    assert [*results] == [number * number for number in range(1, 100)]


def test_work_runs_in_other_threads() -> None:
    assert threading.get_ident() not in set(mapped(lambda _: threading.get_ident(), range(8)))


def test_an_error_is_raised_in_its_place_and_little_is_begun_after_it() -> None:
    begun: list[int] = []

    def fail(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("three")
        return number

    results = mapped(fail, range(1000), ahead=4)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert max(begun) < 20


def test_words_of_messages() -> None:
    assert some_of(range(5)) == "0, 1, 2, 3, 4"
    assert some_of(range(2000), 2) == "0, 1 and 1,998 more"
    assert some_of({"a": 1, "b": 2}, 1) == "a and 1 more"
    assert some_lines([]) == ""
    assert some_lines("abc", 2) == "\n  a\n  b\n  and 1 more"
    assert for_people("a\udcffb") == "a\ufffdb"

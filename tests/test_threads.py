"""`mapped`: order, bounds and errors."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from deeplab_caffe.threads import mapped, together
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


def test_together_shares_what_is_to_be_done():
    items, done, threads = iter(range(2000)), [], set()

    def work() -> None:
        threads.add(threading.get_ident())
        done.extend(items)

    together(work, 4)
    assert sorted(done) == list(range(2000))
    assert threading.get_ident() in threads and len(threads) <= 4


def test_together_is_at_once():
    barrier = threading.Barrier(3, timeout=60)
    together(lambda: barrier.wait() and None, 3)
    together(lambda: None, 1)


def test_an_exception_of_one_is_raised_after_all_have_finished():
    both, finished = threading.Barrier(2, timeout=60), []

    def work() -> None:
        both.wait()
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("in another thread")
        finished.append(1)

    with pytest.raises(ValueError, match="in another thread"):
        together(work, 2)
    assert finished


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_together_after_a_fork():
    together(lambda: None, 3)
    barrier = threading.Barrier(2, timeout=60)
    child = os.fork()
    if not child:
        try:
            together(barrier.wait, 2)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0

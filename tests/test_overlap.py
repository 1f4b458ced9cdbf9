"""Waiting is overlapped where there is waiting; order and errors are those of a plain map."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from exrindex.overlap import Overlap


def slowly(item: int) -> int:
    time.sleep(0.002)
    return item * item


def test_order_is_kept() -> None:
    for count in (0, 1, 4, 5, 100):
        expected = [item * item for item in range(count)]
        assert list(Overlap(8).map(slowly, range(count))) == expected
        assert list(Overlap().map(lambda item: item * item, range(count))) == expected


def test_slow_items_wait_together() -> None:
    """Eight of them meet: fewer at once would never open the barrier."""
    barrier = threading.Barrier(8)

    def meet(item: int) -> int:
        if item < 4:
            return slowly(item)
        barrier.wait(timeout=10)
        return item

    assert list(Overlap(8).map(meet, range(4 + 16)))[4:] == list(range(4, 20))


def test_quick_items_start_no_thread() -> None:
    seen: set[int] = set()
    list(Overlap().map(lambda item: seen.add(threading.get_ident()), range(100)))
    assert seen == {threading.get_ident()}


def test_no_more_are_begun_than_there_are_threads() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            begun.append(item)
            yield item

    taken = Overlap(8).map(slowly, items())
    for count in range(1, 60):
        next(taken)
        assert len(begun) <= count + 8
    taken.close()


def test_an_error_comes_in_its_turn() -> None:
    def fail(item: int) -> int:
        if item == 7:
            raise ValueError(item)
        return slowly(item)

    results = Overlap(8).map(fail, range(20))
    assert [next(results) for _ in range(7)] == [item * item for item in range(7)]
    with pytest.raises(ValueError, match="7"):
        next(results)


def test_heavy_results_are_held_by_twos() -> None:
    begun: list[int] = []

    def begin(item: int) -> int:
        begun.append(item)
        return slowly(item)

    results = Overlap(16).map(begin, range(100), lambda result: result < 30**2)
    for count in range(1, 100):
        next(results)
        if count > 32:
            assert len(begun) <= max(count + 2, 31 + 16)
    assert len(begun) == 100 or next(results) == 99 * 99


def test_what_was_slow_is_tried_once_the_next_time() -> None:
    overlap = Overlap(8)
    list(overlap.map(slowly, range(8)))
    barrier = threading.Barrier(8)

    def meet(item: int) -> int:
        if item == 0:
            return slowly(item)
        barrier.wait(timeout=10)
        return item

    assert list(overlap.map(meet, range(1 + 8)))[1:] == list(range(1, 9))

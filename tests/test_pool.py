from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import connection
from pathlib import Path

import pytest

from exrindex import pool
from exrindex.errors import ExrIndexError
from exrindex.model import FailureCode
from exrindex.pool import default_workers, ordered_map, process_executor

CRASHED, TIMEOUT = FailureCode.CRASHED, FailureCode.TIMEOUT
Result = list[object]
two_workers = partial(process_executor, 2)


def echo(items: Sequence[int]) -> Result:
    return list(items)


def die_on(guilty: frozenset[int], items: Sequence[int]) -> Result:
    if guilty & set(items):
        os.kill(os.getpid(), signal.SIGKILL)
    return list(items)


def exit_on(guilty: frozenset[int], items: Sequence[int]) -> Result:
    if guilty & set(items):
        os._exit(3)
    return list(items)


def die_at_first(times: int, folder: Path, guilty: int, items: Sequence[int]) -> Result:
    if guilty in items and len(list(folder.iterdir())) < times:
        (folder / str(os.getpid())).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return list(items)


def die_after_others(folder: Path, others: int, items: Sequence[int]) -> Result:
    (folder / f"{items[0]}-{time.monotonic_ns()}").touch()
    if 0 in items:
        wait_until(lambda: len(list(folder.iterdir())) > others)
        time.sleep(0.3)  # for the last one's result to arrive
        os.kill(os.getpid(), signal.SIGKILL)
    return list(items)


def die_in_company(items: Sequence[int]) -> Result:
    if len(items) > 2:
        os._exit(1)
    return list(items)


def hang_on(guilty: frozenset[int], items: Sequence[int]) -> Result:
    if guilty & set(items):
        time.sleep(600)
    return list(items)


def die_while_sending(guilty: int, items: Sequence[int]) -> Result:
    """The result's first bytes leave, the worker dies, and no one sends the rest."""
    if guilty in items:

        def send_half(self: connection.Connection, buffer: bytes) -> None:
            os.write(self.fileno(), bytes(buffer[: len(buffer) // 2]))
            os.kill(os.getpid(), signal.SIGKILL)

        connection.Connection._send = send_half  # type: ignore[attr-defined]  # private, on purpose
    return list(items)


def refuse(items: Sequence[int]) -> Result:
    if 5 in items:
        raise KeyError("five")
    return list(items)


class SlowToLoad:
    """A function that keeps each new worker waiting, as a first import does."""

    loaded = False

    def __setstate__(self, state: object) -> None:
        if not SlowToLoad.loaded:
            time.sleep(1.5)
        SlowToLoad.loaded = True

    def __getstate__(self) -> object:
        return "state"

    def __call__(self, items: Sequence[int]) -> Result:
        return list(items)


class CannotBeUnpickled(Exception):
    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)


def refuse_unpicklably(items: Sequence[int]) -> Result:
    raise CannotBeUnpickled(reason="keyword only")


def interrupt_self(items: Sequence[int]) -> Result:
    os.kill(os.getpid(), signal.SIGINT)
    return list(items)


def note_pid_and_sleep(folder: Path, items: Sequence[int]) -> Result:
    (folder / str(os.getpid())).touch()
    time.sleep(600)
    return list(items)


def blame(item: int, code: FailureCode) -> Result:
    return [(item, code)]


def chunks(count: int, size: int) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def run(
    function: Callable[[Sequence[int]], Result],
    tasks: Sequence[Sequence[int]],
    *,
    executor: Callable[[], Executor] = two_workers,
    window: int = 6,
    timeout: Callable[[Sequence[int]], float] | None = None,
) -> Result:
    results = ordered_map(
        function, tasks, executor=executor, window=window, on_crash=blame, timeout=timeout
    )
    return [value for result in results for value in result]


def expected(count: int, guilty: set[int], code: FailureCode = CRASHED) -> Result:
    return [(item, code) if item in guilty else item for item in range(count)]


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be reaped does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# --- order and window -------------------------------------------------------------------------


@pytest.mark.parametrize("executor", [two_workers, partial(ThreadPoolExecutor, 3)])
def test_results_come_in_the_order_of_the_tasks(executor: Callable[[], Executor]) -> None:
    assert run(echo, chunks(200, 7), executor=executor) == list(range(200))


def test_no_tasks_make_no_executor() -> None:
    def never() -> Executor:
        raise AssertionError

    assert run(echo, [], executor=never) == []


@pytest.mark.parametrize("window", [1, 2, 5])
def test_tasks_are_consumed_no_faster_than_the_window_allows(window: int) -> None:
    consumed = yielded = 0

    def tasks() -> Iterator[Sequence[int]]:
        nonlocal consumed
        for task in chunks(60, 2):
            consumed += 1
            assert consumed - yielded <= window
            yield task

    for _ in ordered_map(
        echo, tasks(), executor=partial(ThreadPoolExecutor, 2), window=window, on_crash=blame
    ):
        assert consumed - yielded <= window
        yielded += 1
    assert consumed == yielded == 30


def test_a_window_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="window"):
        run(echo, chunks(2, 1), window=0)


def test_a_result_is_yielded_before_the_next_task_is_there() -> None:
    """A slow walk must not hold back what is done."""
    seen: Result = []

    def tasks() -> Iterator[Sequence[int]]:
        yield [0]
        time.sleep(0.2)
        yield [1]
        time.sleep(0.2)
        assert 0 in seen
        yield [2]

    for result in ordered_map(
        echo, tasks(), executor=partial(ThreadPoolExecutor, 1), window=9, on_crash=blame
    ):
        seen += result
    assert seen == [0, 1, 2]


# --- crashes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_guilty_items_are_found_under_every_start_method(method: str) -> None:
    function = partial(die_on, frozenset({3}))
    assert run(function, chunks(12, 4), executor=partial(process_executor, 2, method)) == (
        expected(12, {3})
    )


def test_several_guilty_items_cost_no_innocent_one() -> None:
    guilty = {17, 18, 90, 199}
    function = partial(die_on, frozenset(guilty))
    assert run(function, chunks(200, 8)) == expected(200, guilty)


def test_a_worker_that_exits_is_a_crash() -> None:
    assert run(partial(exit_on, frozenset({1})), chunks(6, 2)) == expected(6, {1})


def test_tasks_of_one_item_and_nothing_but_guilt() -> None:
    assert run(partial(die_on, frozenset(range(3))), chunks(3, 1)) == expected(3, {0, 1, 2})


@pytest.mark.parametrize("times", [1, 2])
def test_workers_killed_from_outside_leave_no_trace(tmp_path: Path, times: int) -> None:
    function = partial(die_at_first, times, tmp_path, 9)
    results = ordered_map(function, chunks(40, 4), executor=two_workers, window=6, on_crash=blame)
    assert list(results) == [list(task) for task in chunks(40, 4)]
    assert len(list(tmp_path.iterdir())) == times


def test_what_was_done_before_a_crash_is_not_done_again(tmp_path: Path) -> None:
    function = partial(die_after_others, tmp_path, 3)
    assert run(function, chunks(4, 1), window=4) == expected(4, {0})
    runs = [path.name.partition("-")[0] for path in tmp_path.iterdir()]
    assert sorted(runs) == ["0", "0", "0", "1", "2", "3"]


def test_a_task_too_large_for_a_worker_is_done_in_pieces() -> None:
    pieces = list(
        ordered_map(die_in_company, chunks(8, 8), executor=two_workers, window=2, on_crash=blame)
    )
    assert pieces == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_a_worker_that_dies_while_sending_its_result_does_not_stop_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "_TICK_S", 0.2)
    assert run(partial(die_while_sending, 2), chunks(4, 1)) == expected(4, {2})


def test_workers_that_never_start_are_not_blamed_on_the_items() -> None:
    stillborn = partial(ProcessPoolExecutor, 1, initializer=os._exit, initargs=(1,))
    with pytest.raises(ExrIndexError, match="worker processes end"):
        run(echo, chunks(4, 2), executor=stillborn)


# --- timeouts ---------------------------------------------------------------------------------


def test_items_that_hang_are_found_and_the_others_done() -> None:
    def limit(items: Sequence[int]) -> float:
        return 0.6 + 0.05 * len(items)

    function = partial(hang_on, frozenset({3}))
    assert run(function, chunks(8, 2), timeout=limit) == expected(8, {3}, TIMEOUT)


def test_a_limit_that_is_kept_changes_nothing() -> None:
    assert run(echo, chunks(20, 4), timeout=lambda items: 60) == list(range(20))


def test_no_item_is_late_because_a_worker_starts_slowly() -> None:
    """The first tasks are found late; run alone they are given a worker that is ready."""
    assert run(SlowToLoad(), chunks(4, 2), timeout=lambda items: 1.0) == [0, 1, 2, 3]


# --- endings ----------------------------------------------------------------------------------


def test_an_exception_of_the_function_is_raised_and_no_worker_is_left() -> None:
    with pytest.raises(KeyError, match="five"):
        run(refuse, chunks(50, 2))
    assert multiprocessing.active_children() == []


def test_a_result_that_cannot_be_unpickled_is_blamed_on_no_item() -> None:
    with pytest.raises(Exception, match="terminated abruptly") as caught:
        run(refuse_unpicklably, chunks(2, 1))
    assert "CannotBeUnpickled" in str(caught.value.__cause__)


def test_an_exception_of_the_tasks_is_raised_and_no_worker_is_left() -> None:
    def tasks() -> Iterator[Sequence[int]]:
        yield [1]
        raise OSError("the walk broke")

    with pytest.raises(OSError, match="the walk broke"):
        list(ordered_map(echo, tasks(), executor=two_workers, window=4, on_crash=blame))
    assert multiprocessing.active_children() == []


def test_closing_early_kills_what_runs() -> None:
    function = partial(hang_on, frozenset({2, 3, 4}))
    results = ordered_map(function, chunks(9, 1), executor=two_workers, window=8, on_crash=blame)
    assert next(results) == [0]
    pids = [child.pid for child in multiprocessing.active_children()]
    assert pids
    before = time.monotonic()
    results.close()
    assert time.monotonic() - before < 10
    assert not any(alive(pid) for pid in pids if pid)


def test_workers_leave_an_interrupt_to_their_parent() -> None:
    assert run(interrupt_self, chunks(4, 2)) == [0, 1, 2, 3]


ORPHANAGE = """
    import signal
    import sys
    from functools import partial
    from pathlib import Path
    from test_pool import blame, chunks, note_pid_and_sleep
    from exrindex.pool import ordered_map, process_executor

    if __name__ == "__main__":
        # A job in the background (CI may be one) inherits that Ctrl-C is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        list(ordered_map(
            partial(note_pid_and_sleep, Path(sys.argv[1])), chunks(4, 1),
            executor=partial(process_executor, 2, sys.argv[2]), window=4, on_crash=blame,
        ))
"""


@pytest.fixture
def orphanage(
    tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process, first of its process group, with two busy workers: it and their pids."""
    script = tmp_path / "orphanage.py"
    script.write_text(textwrap.dedent(ORPHANAGE))
    pids = tmp_path / "pids"
    pids.mkdir()
    parent = subprocess.Popen(
        [sys.executable, str(script), str(pids), request.param],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(lambda: len(list(pids.iterdir())) == 2)
        yield parent, [int(path.name) for path in pids.iterdir()]
    finally:
        parent.kill()
        parent.communicate()


@pytest.mark.parametrize("orphanage", ["fork", "forkserver", "spawn"], indirect=True)
def test_workers_do_not_outlive_a_killed_parent(
    orphanage: tuple[subprocess.Popen[str], list[int]],
) -> None:
    parent, workers = orphanage
    assert all(alive(pid) for pid in workers)
    parent.kill()
    wait_until(lambda: not any(alive(pid) for pid in workers))


@pytest.mark.parametrize("orphanage", ["fork", "forkserver", "spawn"], indirect=True)
def test_ctrl_c_ends_everything_and_only_the_parent_tells(
    orphanage: tuple[subprocess.Popen[str], list[int]],
) -> None:
    parent, workers = orphanage
    os.killpg(parent.pid, signal.SIGINT)
    _, told = parent.communicate(timeout=20)
    assert told.count("Traceback") == told.count("KeyboardInterrupt") == 1
    assert not any(alive(pid) for pid in workers)


# --- how many ---------------------------------------------------------------------------------


def test_default_workers_are_the_cpus_of_this_process() -> None:
    usable = os.sched_getaffinity(0)
    assert 1 <= default_workers() <= min(32, len(usable))
    os.sched_setaffinity(0, {min(usable)})
    try:
        assert default_workers() == 1
    finally:
        os.sched_setaffinity(0, usable)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("100000 100000", 1), ("150000 100000", 2), ("max 100000", 32), ("", 32), ("0 0 0", 32)],
)
def test_the_quota_of_a_container_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, cpus: int
) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(text)
    monkeypatch.setattr(pool, "_CPU_QUOTA", quota)
    assert default_workers() == min(cpus, len(os.sched_getaffinity(0)))


def test_a_fork_server_that_dies_while_it_starts_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed by hand or for want of memory: ``submit`` itself then raises ``EOFError``."""

    def die(*args: object) -> None:
        raise EOFError

    dying, living = ThreadPoolExecutor(), ThreadPoolExecutor()
    monkeypatch.setattr(dying, "submit", die)
    executors = iter([dying, living])
    done = ordered_map(
        sum, [[1, 2], [3]], executor=lambda: next(executors), window=2, on_crash=lambda *_: -1
    )
    assert list(done) == [3, 3]

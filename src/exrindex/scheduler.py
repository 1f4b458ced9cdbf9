"""Workers of a Dask cluster in place of local processes: an executor for ``pool.ordered_map``.

Dask sends a task elsewhere when its worker dies, and gives up on one that has killed several. What
it gives up on is a suspect here, as with local processes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any, ParamSpec, TypeVar

import distributed
from distributed.scheduler import KilledWorker

from exrindex import __version__
from exrindex.errors import SchedulerUnavailable

P = ParamSpec("P")
T = TypeVar("T")

# Seconds to reach the scheduler, and to hear from its workers.
_CONNECT_S = 5
_WORKERS_S = 30


class SchedulerExecutor(Executor):
    """The workers of the Dask scheduler at an address, such as ``tcp://farm:8786``.

    Raises ``SchedulerUnavailable`` where it cannot be reached, has no workers, or these lack this
    version of exrindex.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        try:
            self._client = distributed.Client(
                address, timeout=_CONNECT_S, set_as_default=False, name="exrindex"
            )
        except (OSError, TimeoutError, ValueError) as error:
            raise SchedulerUnavailable(
                f"no Dask scheduler can be reached at {address}: {error}; start one with "
                "`dask scheduler`, or leave out --scheduler"
            ) from error

    def threads(self) -> int:
        """How many tasks the cluster works on at once, once its workers are found fit."""
        try:
            self._client.wait_for_workers(1, timeout=_WORKERS_S)
            versions = set(self._client.run(_version).values())
        except TimeoutError as error:
            raise SchedulerUnavailable(
                f"the Dask scheduler at {self._address} has no workers; start some with "
                f"`dask worker {self._address}`"
            ) from error
        except ImportError as error:
            raise SchedulerUnavailable(
                f"workers of the Dask scheduler at {self._address} cannot import exrindex "
                f"({error}); install exrindex {__version__} there, too"
            ) from error
        if versions != {__version__}:
            found = ", ".join(sorted(versions))
            raise SchedulerUnavailable(
                f"workers of the Dask scheduler at {self._address} have exrindex {found}, and this "
                f"is {__version__}; install the same one everywhere"
            )
        return sum(self._client.nthreads().values())

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        # Not pure: the same files may be asked for twice, and then are to be read twice.
        task = self._client.submit(fn, *args, **kwargs, pure=False)
        future: Future[T] = Future()
        future.add_done_callback(lambda ours: task.cancel() if ours.cancelled() else None)
        task.add_done_callback(lambda theirs: _hand_over(theirs, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster; what it still works on for us is cancelled."""
        self._client.close()


def _hand_over(task: Any, future: Future[Any]) -> None:
    """The outcome of Dask's future to ours."""
    if not future.set_running_or_notify_cancel():
        return
    if task.status == "finished":
        future.set_result(task.result())
        return
    error = task.exception() if task.status == "error" else None
    if error is None or isinstance(error, KilledWorker):
        future.set_exception(BrokenExecutor(f"Dask gave up the task: {error or task.status}"))
    else:
        future.set_exception(error)


def _version() -> str:
    return __version__

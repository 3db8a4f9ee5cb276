"""The threads that synchronous nodes run in: one executor per job, so that its leftovers can be told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

MAX_THREADS: Final = 32


class NodeExecutor(ThreadPoolExecutor):
    """A thread pool that knows whether anything is still running in it."""

    def __init__(self) -> None:
        super().__init__(MAX_THREADS, thread_name_prefix="node")
        self._busy = 0  # by the loop's thread and those of the nodes, under `_idle`
        self._idle = threading.Condition()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See `Executor.submit`."""

        def counted() -> T:
            try:
                return fn(*args, **kwargs)
            finally:
                self._count(-1)

        self._count(+1)
        try:
            future: Future[T] = super().submit(counted)
        except RuntimeError:
            self._count(-1)
            raise
        future.add_done_callback(self._uncount_cancelled)
        return future

    def wait_idle(self, seconds: float) -> bool:
        """Whether everything has ended within `seconds`."""
        with self._idle:
            return self._idle.wait_for(lambda: self._busy == 0, timeout=max(0.0, seconds))

    def _count(self, change: int) -> None:
        with self._idle:
            self._busy += change
            self._idle.notify_all()

    def _uncount_cancelled(self, future: Future[Any]) -> None:
        if future.cancelled():  # it never began, so `counted` will not count it down
            self._count(-1)

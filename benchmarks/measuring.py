"""What work costs: on the clock, of processors, and in memory."""

from __future__ import annotations

import multiprocessing as mp
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

# Processes of their own, so that no peak of memory is another one's.
_PROCESSES = mp.get_context("spawn")


class Cost(NamedTuple):
    """Seconds on the clock, of all processors together, and the most MiB of memory held."""

    clock: float
    processor: float
    peak_mib: float


@contextmanager
def measured(costs: list[Cost]) -> Iterator[None]:
    """Add what a block costs, with the processes that it starts and waits for."""
    start, before = time.perf_counter(), sum(os.times()[:4])
    yield
    clock, processor = time.perf_counter() - start, sum(os.times()[:4]) - before
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    costs.append(Cost(clock, processor, kib / 1024))


def measured_apart(work: Callable[..., None], *arguments: Any) -> Cost:
    """Do work in a process of its own, and tell its cost without that of the process's start.

    Raises:
        RuntimeError: the work failed; the process has told why.
    """
    here, there = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_work, args=(work, arguments, there))
    process.start()
    there.close()
    try:
        return Cost(*here.recv())
    except EOFError:
        raise RuntimeError(f"{work.__name__} failed") from None
    finally:
        process.join()


def _work(work: Callable[..., None], arguments: Sequence[Any], result: Connection) -> None:
    costs: list[Cost] = []
    with measured(costs):
        work(*arguments)
    result.send(tuple(costs[0]))

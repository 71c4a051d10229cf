"""Many small files at a time: each has its price, for a thread as for DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from threading import Lock
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Handing something over to a thread takes longer than reading a small file.
_SHARE_ITEMS = 64
_SHARE_BYTES = 2**20


def cut(
    items: Iterable[T], size: Callable[[T], int], *, most_items: int, most_bytes: int
) -> Iterator[list[T]]:
    """Cut items into runs, in their order.

    Args:
        items: what is to be worked on.
        size: of an item, in bytes.
        most_items: of a run.
        most_bytes: of a run; an item of more goes alone.
    """
    run: list[T] = []
    total = 0
    for item in items:
        of_item = size(item)
        if run and (len(run) == most_items or total + of_item > most_bytes):
            yield run
            run, total = [], 0
        run.append(item)
        total += of_item
    if run:
        yield run


def map_shares(
    pool: Executor, work: Callable[[Sequence[T]], R], items: Iterable[T], size: Callable[[T], int]
) -> Iterator[R]:
    """Let the threads of a pool work on items, of which small ones go together, in their order.

    One thread at a time works on small ones. Opening, reading and hashing one of them takes Python
    as long as it takes the system, so that two threads wait for the interpreter at every step: of
    18,000 files they took twice as long as one of them did.

    Args:
        pool: of threads.
        work: done on one or more items at a time.
        items: what is to be worked on.
        size: of an item, in bytes; those of a MiB and more go alone, and side by side.
    """
    turn = Lock()

    def in_turn(share: Sequence[T]) -> R:
        if len(share) == 1:
            return work(share)
        with turn:
            return work(share)

    return pool.map(in_turn, cut(items, size, most_items=_SHARE_ITEMS, most_bytes=_SHARE_BYTES))

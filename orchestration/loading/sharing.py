"""Work for threads: many small files at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from threading import Lock
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Handing something over to a thread takes longer than reading a small file.
_ITEMS = 64
_BYTES = 2**20


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

    return pool.map(in_turn, _shares(items, size))


def _shares(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    share: list[T] = []
    total = 0
    for item in items:
        of_item = size(item)
        if share and (len(share) == _ITEMS or total + of_item > _BYTES):
            yield share
            share, total = [], 0
        share.append(item)
        total += of_item
    if share:
        yield share

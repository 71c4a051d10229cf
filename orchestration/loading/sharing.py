"""Work for threads: many small files at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

# Handing something over to a thread takes longer than reading a small file.
_ITEMS = 64
_BYTES = 2**20


def shares(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Cut items into runs that are worth a thread's while, in their order.

    Args:
        items: what is to be worked on.
        size: of an item, in bytes; those of a MiB and more go alone.
    """
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

"""How far a run is, for whoever watches it: rooms tell, the command line listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One step forward.

    Attributes:
        stage: what is being done, such as `Loading exports`.
        done: how many of `total` are done.
        total: of the stage; null while it is not known.
        what: the last one, such as a file or a model.
    """

    stage: str
    done: int
    total: int | None
    what: str


# A text is a remark: something that whoever runs this should know.
Listener = Callable[[Progress | str], None]

_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hear of all progress in this process for the time of a block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell(message: Progress | str) -> None:
    """Tell whoever listens; nobody may."""
    for listener in _listeners:
        listener(message)

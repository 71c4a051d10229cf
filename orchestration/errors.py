"""The errors that a user can act on. Each names the file, row or setting, and the remedy."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class NorthstarError(Exception):
    """Base of all errors with a remedy in their text; entry points print just that text."""


class SettingsError(NorthstarError):
    """A setting (environment variable) is missing or wrong."""


class ContractError(NorthstarError):
    """A file in `data/sources/` does not say what it should; names file, key and remedy."""


class LandingError(NorthstarError):
    """The landing folder as a whole cannot be used, such as demo and own exports side by side."""


class SecretError(NorthstarError):
    """The pseudonym key is missing or is not the one the warehouse was built with."""


class LockedError(NorthstarError):
    """Another rebuild holds the lock."""


class WarehouseError(NorthstarError):
    """The warehouse file cannot be opened."""


class DiskFullError(NorthstarError):
    """There is no space left where the data lies."""


class PublishingError(NorthstarError):
    """The marts were not published; the old publication stays."""


class TransformError(NorthstarError):
    """dbt failed: a model did not build or an error-severity test did not pass."""


class ChartingError(NorthstarError):
    """A plot was not drawn; no figure depends on one."""


class ChainError(NorthstarError):
    """The chain of snapshots in `data/state` is not as it was written, or cannot be continued."""


class ErasureError(NorthstarError):
    """Somebody cannot be erased, or who was erased cannot be told."""


def behind(error: BaseException) -> Iterator[BaseException]:
    """An error, what caused it, and in the handling of what it came up, the nearest first.

    Errors that are kept and raised anew can stand behind one another in a circle.
    """
    seen: set[int] = set()
    waiting: deque[BaseException | None] = deque([error])
    while waiting:
        one = waiting.popleft()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]

"""The order of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
# After the fast ones, which come first: the longest, and then many middling ones, so that no core
# is left alone with a long one at the end.
_LAST = ("torture", "end_to_end", "defs", "transforming", "demo", "dbt_project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order by room; `make test` hands them out in this order, a file at a time."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    room = item.path.relative_to(_TESTS).parts[0]
    return _LAST.index(room) + 1 if room in _LAST else 0

"""Who may read what runs write, whatever the umask of whoever starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ENTERED_BY_ALL = 0o755


@contextmanager
def private_files() -> Iterator[None]:
    """Let every file that this process makes in a block be its owner's alone.

    For what libraries make by themselves, at moments of their own, such as DuckDB's write-ahead log
    and what it spills to disk. Files that are for others get their mode explicitly.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def make_folder(path: Path) -> None:
    """Make a folder that others may enter, such as the one above what BI tools read."""
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(_ENTERED_BY_ALL)

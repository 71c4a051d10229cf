"""Digests of folders: whether what lies there is what lay there before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

# What dbt, Python and editors write into a folder; none of it changes a figure.
_WRITTEN_BY_TOOLS = frozenset({"target", "logs", "dbt_packages", "__pycache__"})


def digest_of_folder(folder: Path, without_suffixes: tuple[str, ...] = ()) -> str:
    """SHA-256 over the sorted relative paths and the contents; a missing folder is an empty one.

    Hidden files and what tools write are passed over.
    """
    digest = hashlib.sha256()
    for path in sorted(_files(folder)):
        if path.suffix not in without_suffixes:
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.name.startswith(".") or entry.name in _WRITTEN_BY_TOOLS:
            continue
        if entry.is_dir():
            yield from _files(entry)
        else:
            yield entry

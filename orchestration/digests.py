"""Digests of files and folders: whether what lies there is what lay there before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

# What dbt, Python and editors write into a folder; none of it changes a figure.
_WRITTEN_BY_TOOLS = frozenset({"target", "logs", "dbt_packages", "__pycache__"})

# Small pieces: the allocator keeps them, while larger ones are taken from the kernel each time.
_PIECE = 2**16


def digest_of_stream(stream: IO[bytes]) -> str:
    """SHA-256 of what is left to read, hexadecimal."""
    digest = hashlib.sha256()
    while piece := stream.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb", buffering=0) as file:
        return digest_of_stream(file)


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

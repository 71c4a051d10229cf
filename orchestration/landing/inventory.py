"""Which files lie in the landing folder: path, size and time of change, without opening any."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from orchestration.errors import LandingError

# What a copy in progress or an operating system leaves behind is not an export.
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart", "~")


@dataclass(frozen=True, order=True)
class LandedFile:
    """A file on disk.

    Attributes:
        path: relative to the landing folder, with forward slashes.
        size: bytes.
        modified_ns: time of its last change, nanoseconds since the epoch.
        problem: why no file can be known by such a path, and what to do; `path` is then a way of
            writing it that is like no other file's. Null for all others.
    """

    path: str
    size: int
    modified_ns: int
    problem: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Inventory:
    """All files of a landing folder, by path."""

    landing: Path
    files: tuple[LandedFile, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over paths, sizes and times: differs as soon as a file comes, changes or goes."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.path}\0{file.size}\0{file.modified_ns}\n".encode())
        return digest.hexdigest()


def take_inventory(landing: Path) -> Inventory:
    """List the landing folder; an absent folder is an empty one.

    Hidden files, and files whose name says that a copy is in progress, are passed over.

    Raises:
        LandingError: a folder in it cannot be listed. What lies there would leave the figures.
    """
    files = sorted(_walk(landing, "")) if landing.is_dir() else []
    return Inventory(landing, tuple(files))


def holds_exports(landing: Path) -> bool:
    """Whether there is anything in a landing folder that an inventory would list.

    Raises:
        LandingError: see `take_inventory`.
    """
    return landing.is_dir() and any(True for _ in _walk(landing, ""))


def _walk(folder: Path, prefix: str) -> Iterator[LandedFile]:
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except FileNotFoundError:  # somebody removed it a moment ago
        return
    except OSError as error:
        raise LandingError(
            f"{folder} cannot be listed ({type(error).__name__}). Let the user that runs northstar "
            "read it, or move it out of the landing folder."
        ) from None
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED):
            continue
        path = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder / entry.name, f"{path}/")
            continue
        with suppress(OSError):  # somebody removed it, or it is a link in a circle
            if entry.is_file():
                status = entry.stat()
                readable, problem = _readable(path)
                yield LandedFile(readable, status.st_size, status.st_mtime_ns, problem)


def _readable(path: str) -> tuple[str, str | None]:
    """The path as text that the ledger can hold, and what is wrong with it."""
    try:
        path.encode()
    except UnicodeEncodeError:
        # Bytes of another encoding: Python holds them as surrogates, which are no text.
        written = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
        return written.replace("::", "%3A%3A"), "its path is not UTF-8; rename it"
    if "::" in path:
        return path.replace("::", "%3A%3A"), (
            "its path holds `::`, which stands between a zip and its members; rename it"
        )
    return path, None

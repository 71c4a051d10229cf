"""Opens landed files: lists the data files in them, and inflates one into a plain file.

Members are only ever read through their archive; no name from a zip becomes a path on disk.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from isal import igzip_lib, isal_zlib

# Longer than any hour of events we know of, and short enough to fit a disk.
MAX_INFLATED_BYTES = 16 * 2**30
# Read in small pieces, inflated into pieces that the allocator keeps: those of a MiB are given back
# to the kernel each time, which costs as much as inflating them.
_CHUNK = 2**16
_INFLATED_CHUNK = 2**18
_GZIP_MAGIC = b"\x1f\x8b"
_MEMBER = "::"


class SupportsWrite(Protocol):
    """What content can be written to; `write` takes all of it."""

    def write(self, content: bytes, /) -> int:
        """Write the bytes and tell how many they are."""
        ...


class UnreadableArchiveError(Exception):
    """A zip that cannot be opened; the text says why."""


@dataclass(frozen=True)
class StoredFile:
    """A data file as it is stored.

    Attributes:
        path: in the landing folder; `a.zip::member` inside a zip.
        member: its name inside the zip, or null for a file on its own.
        size: stored bytes.
        content_hash: SHA-256 of the stored bytes.
    """

    path: str
    member: str | None
    size: int
    content_hash: str


def is_zip(path: str) -> bool:
    """Whether a landed file is to be opened as a zip."""
    return path.lower().endswith(".zip")


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_members(file: Path, landed_path: str) -> list[StoredFile]:
    """The data files of a zip, by name.

    Raises:
        UnreadableArchiveError: the zip is damaged, encrypted or holds one name twice.
    """
    members: dict[str, StoredFile] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                if entry.is_dir():
                    continue
                if entry.flag_bits & 0x1:
                    raise UnreadableArchiveError(f"the zip is encrypted ({entry.filename!r})")
                if entry.filename in members:
                    raise UnreadableArchiveError(f"the zip holds {entry.filename!r} twice")
                if entry.file_size > MAX_INFLATED_BYTES:
                    raise UnreadableArchiveError(f"{entry.filename!r} is too large to be an export")
                with archive.open(entry) as stream:
                    digest = _hash_stream(stream)
                path = f"{landed_path}{_MEMBER}{entry.filename}"
                members[entry.filename] = StoredFile(path, entry.filename, entry.file_size, digest)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise UnreadableArchiveError(f"the zip cannot be read: {error}") from error
    return [members[name] for name in sorted(members)]


def member_of(path: str) -> tuple[str, str | None]:
    """Split a data file's path into the landed path and the name inside the zip."""
    landed, separator, member = path.partition(_MEMBER)
    return landed, member if separator else None


def open_stored(landing: Path, paths: Sequence[str]) -> Iterator[tuple[str, IO[bytes]]]:
    """Open data files of one landed file, one after the other: path and stored bytes.

    A zip is opened once for all of them: reading its directory costs more than an hour's events.
    """
    landed, member = member_of(paths[0])
    if member is None:
        with (landing / landed).open("rb") as stream:
            yield paths[0], stream
        return
    with zipfile.ZipFile(landing / landed) as archive:
        for path in paths:
            with archive.open(member_of(path)[1] or "") as stream:
                yield path, stream


def inflate(
    stream: IO[bytes], output: SupportsWrite, *, limit: int = MAX_INFLATED_BYTES
) -> str | None:
    """Write a data file's content to `output`, inflated if it is gzip.

    Returns:
        Null, or why the content ends early. What could be inflated up to there has been written.
    """
    head = stream.read(_CHUNK)
    if not head.startswith(_GZIP_MAGIC):
        return _copy(head, stream, output, limit)
    return _gunzip(head, stream, output, limit)


def _copy(head: bytes, stream: IO[bytes], output: SupportsWrite, limit: int) -> str | None:
    written = 0
    try:
        while head:
            written += output.write(head)
            if written > limit:
                return f"larger than {limit} bytes"
            head = stream.read(_CHUNK)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        return f"damaged in its zip: {error}"
    return None


def _gunzip(head: bytes, stream: IO[bytes], output: SupportsWrite, limit: int) -> str | None:
    written = 0
    inflater = isal_zlib.decompressobj(wbits=31)
    pending = head
    try:
        while True:
            written += output.write(inflater.decompress(pending, _INFLATED_CHUNK))
            if written > limit:
                return f"inflates to more than {limit} bytes"
            if inflater.eof:  # a gzip file may hold several members, one after the other
                pending = inflater.unused_data
                if len(pending) < len(_GZIP_MAGIC):
                    pending += stream.read(_CHUNK)
                if not pending.strip(b"\0"):
                    return None
                if not pending.startswith(_GZIP_MAGIC):
                    return "bytes follow the end of the gzip"
                inflater = isal_zlib.decompressobj(wbits=31)
            elif inflater.unconsumed_tail:
                pending = inflater.unconsumed_tail
            elif not (pending := stream.read(_CHUNK)):
                return "truncated gzip"
    except igzip_lib.IsalError as error:  # type: ignore[misc]  # the stubs name an instance
        return f"damaged gzip: {error}"
    except (zipfile.BadZipFile, EOFError) as error:
        return f"damaged in its zip: {error}"


def _hash_stream(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()

"""Opens landed files: lists the data files in them, and inflates one into a plain file.

Members are only ever read through their archive; no name from a zip becomes a path on disk.
"""

from __future__ import annotations

import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, ClassVar, Protocol

from isal import igzip_lib, isal_zlib

from orchestration.digests import digest_of_stream

# Read in small pieces, inflated into pieces that the allocator keeps: those of a MiB are given back
# to the kernel each time, which costs as much as inflating them.
_CHUNK = 2**16
_INFLATED_CHUNK = 2**16
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_START = b"\x1f\x8b\x08"
_GZIP_HEADER = 10
# Said of a gzip that is whole, by its own sums, and has something behind it that is no gzip.
BYTES_FOLLOW = "bytes follow the end of the gzip"
_LOST_MEMBER = "damaged gzip: a part of it does not begin as one"
_MEMBER = "::"
_AGAIN = "export it again"
# Begins the reason of a file that may be read another time although it does not change.
NOT_OPENED = "cannot be opened"
# What Python's zipfile raises on damaged archives; most of it is documented nowhere.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted members, and kinds of compression that it does not know
    ValueError,  # names that are not the UTF-8 they say they are, places before the beginning
    IndexError,
    OverflowError,
)


@dataclass(frozen=True)
class Limits:
    """How much a data file may inflate to; more is a bomb, or no export.

    Attributes:
        bytes: at most.
        ratio: at most so many times what it takes in the landing folder. Deflate reaches 1032,
            twice deflated 10^6; exports stay below 60.
    """

    bytes: int = 16 * 2**30
    ratio: int = 200

    # Below it nothing is a bomb, whatever its ratio.
    FLOOR: ClassVar = 2**20

    def of(self, stored: int) -> int:
        """The most that so many stored bytes may inflate to."""
        return min(self.bytes, max(self.FLOOR, self.ratio * stored))

    @property
    def told(self) -> str:
        """Why a file is not read that goes over them, and what to do."""
        return (
            f"inflates to more than {self.bytes // 2**20:,} MiB or {self.ratio} times its size; if "
            "it is an export, raise NORTHSTAR_MAX_INFLATED_MB or NORTHSTAR_MAX_INFLATION_RATIO"
        )


class SupportsWrite(Protocol):
    """What content can be written to; `write` takes all of it."""

    def write(self, content: bytes, /) -> int:
        """Write the bytes and tell how many they are."""
        ...

    def seek(self, position: int, /) -> int:
        """Go to a position."""
        ...

    def truncate(self) -> int:
        """Forget what lies behind the position."""
        ...


class UnreadableArchiveError(Exception):
    """A landed file, or a member of a zip, that cannot be read.

    The text says why and what to do; it quotes no content.

    Attributes:
        path: of the member, as in `StoredFile`; null if nothing of the file can be read.
    """

    def __init__(self, reason: str, path: str | None = None) -> None:
        super().__init__(reason)
        self.path = path


class _DamagedError(Exception):
    """Stored bytes that cannot be read any further; the text says why."""


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


class StoredStream(io.RawIOBase):
    """The stored bytes of a data file; what is wrong with the file below is told when it is read.

    Args:
        stream: the bytes, or why there are none.
        limit: how many bytes the content may have.
        limits: that it comes from.
    """

    def __init__(self, stream: IO[bytes] | str, limit: int, limits: Limits) -> None:
        super().__init__()
        self._stream = stream
        self.limit = limit
        self.limits = limits

    def read(self, size: int = -1, /) -> bytes:
        """So many bytes, or fewer at the end.

        Raises:
            _DamagedError: they cannot be read.
        """
        if isinstance(self._stream, str):
            raise _DamagedError(self._stream)
        try:
            return self._stream.read(size)
        except _ZIP_ERRORS as error:
            raise _DamagedError(f"cannot be read to its end ({type(error).__name__})") from error


def is_zip(path: str) -> bool:
    """Whether a landed file is to be opened as a zip."""
    return path.lower().endswith(".zip")


def list_members(
    file: Path, landed_path: str, limits: Limits | None = None
) -> list[StoredFile | UnreadableArchiveError]:
    """The data files of a zip, by name, and the members that cannot be read.

    Hidden ones are passed over, as they are in the landing folder, and so is what macOS adds.

    Raises:
        UnreadableArchiveError: nothing of the zip can be told apart: it is damaged, holds one name
            twice, or its members lie in each other.
    """
    limits = limits or Limits()
    members: dict[str, StoredFile | UnreadableArchiveError] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [
                entry
                for entry in archive.infolist()
                if _is_wanted(entry) or _has_other_name(archive, entry)
            ]
            if sum(entry.compress_size for entry in entries) > file.stat().st_size:
                raise UnreadableArchiveError(
                    f"the zip is not whole, or its members overlap; {_AGAIN}"
                )
            for entry in entries:
                if entry.filename in members:
                    raise UnreadableArchiveError(
                        f"the zip holds {entry.filename!r} twice; {_AGAIN}"
                    )
                members[entry.filename] = _look_at(archive, entry, landed_path, limits)
    except _ZIP_ERRORS as error:
        reason = f"the zip cannot be read ({type(error).__name__}); {_AGAIN}"
        raise UnreadableArchiveError(reason) from error
    return [members[name] for name in sorted(members)]


def _is_wanted(entry: zipfile.ZipInfo) -> bool:
    name = entry.filename
    if not name or name.endswith("/"):
        return False
    path = PurePosixPath(name)
    return not path.name.startswith(".") and "__MACOSX" not in path.parts


def _has_other_name(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Whether a member names itself otherwise than the zip's directory does, or is damaged there.

    A damaged name may look like a hidden one.
    """
    try:
        archive.open(entry).close()
    except RuntimeError:  # encrypted, or of a kind that is not known: its name is as it was
        return False
    except _ZIP_ERRORS:
        return True
    return False


def _look_at(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, landed_path: str, limits: Limits
) -> StoredFile | UnreadableArchiveError:
    path = f"{landed_path}{_MEMBER}{entry.filename}"
    if entry.flag_bits & 0x1:
        return UnreadableArchiveError("encrypted in its zip; land it without a password", path)
    if stat.S_ISLNK(entry.external_attr >> 16):
        return UnreadableArchiveError(
            "a symbolic link, which is not followed; land the file itself", path
        )
    if entry.file_size > limits.of(entry.compress_size):
        return UnreadableArchiveError(limits.told, path)
    try:
        with archive.open(entry) as stream:
            digest = digest_of_stream(stream)
    except _ZIP_ERRORS as error:
        reason = f"damaged in its zip ({type(error).__name__}); {_AGAIN}"
        return UnreadableArchiveError(reason, path)
    return StoredFile(path, entry.filename, entry.file_size, digest)


def member_of(path: str) -> tuple[str, str | None]:
    """Split a data file's path into the landed path and the name inside the zip."""
    landed, separator, member = path.partition(_MEMBER)
    return landed, member if separator else None


def open_stored(
    landing: Path, paths: Sequence[str], limits: Limits | None = None
) -> Iterator[tuple[str, StoredStream]]:
    """Open data files of one landed file, one after the other: path and stored bytes.

    A zip is opened once for all of them: reading its directory costs more than an hour's events.
    What cannot be opened, since somebody changed it after it was listed, is told by its stream.
    """
    limits = limits or Limits()
    landed, member = member_of(paths[0])
    if member is None:
        try:
            # Joining paths as text: there may be tens of thousands.
            plain = io.FileIO(f"{landing}/{landed}")
        except OSError as error:
            yield paths[0], StoredStream(not_opened(error), 0, limits)
            return
        with plain:
            size = os.fstat(plain.fileno()).st_size
            yield paths[0], StoredStream(plain, limits.of(size), limits)
        return
    try:
        archive = zipfile.ZipFile(landing / landed)
    except _ZIP_ERRORS as error:
        for path in paths:
            yield path, StoredStream(not_opened(error), 0, limits)
        return
    with archive:
        for path in paths:
            try:
                entry = archive.getinfo(member_of(path)[1] or "")
                stream = archive.open(entry)
            except (*_ZIP_ERRORS, KeyError) as error:
                yield path, StoredStream(not_opened(error), 0, limits)
                continue
            with stream:
                yield path, StoredStream(stream, limits.of(entry.compress_size), limits)


def not_opened(error: Exception) -> str:
    """Why a file is not read that cannot be opened, and what to do."""
    return f"{NOT_OPENED} ({type(error).__name__}); let the user that runs northstar read it"


def inflate(stream: StoredStream, output: SupportsWrite) -> str | None:
    """Write a data file's content to `output`, inflated if it is gzip.

    Args:
        stream: the stored bytes.
        output: empty.

    Returns:
        Null, or why the content ends early. What could be inflated up to there has been written,
        but nothing of what goes over the limit: it is no export, and needs no room on the disk.
    """
    try:
        head = stream.read(_CHUNK)
        if head.startswith(_GZIP_MAGIC):
            return _gunzip(head, stream, output)
        return _copy(head, stream, output)
    except _TooLargeError:
        output.seek(0)
        output.truncate()
        return stream.limits.told
    except _DamagedError as error:
        return str(error)


class _TooLargeError(Exception):
    """The content goes over its limit."""


def _copy(head: bytes, stream: StoredStream, output: SupportsWrite) -> str | None:
    written = 0
    while head:
        written += len(head)
        if written > stream.limit:
            raise _TooLargeError
        output.write(head)
        head = stream.read(_CHUNK)
    return None


def _gunzip(head: bytes, stream: StoredStream, output: SupportsWrite) -> str | None:
    written = 0
    inflater = isal_zlib.decompressobj(wbits=31)
    pending = head
    try:
        while True:
            content = inflater.decompress(pending, _INFLATED_CHUNK)
            if not written and content.startswith(_GZIP_MAGIC):
                return "holds a gzip inside of its gzip; unpack it once"
            written += len(content)
            if written > stream.limit:
                raise _TooLargeError
            output.write(content)
            if inflater.eof:  # a gzip file may hold several members, one after the other
                pending = inflater.unused_data
                if len(pending) < _GZIP_HEADER:
                    pending += stream.read(_CHUNK)
                if not pending.strip(b"\0"):
                    return None
                if not pending.startswith(_GZIP_MAGIC):
                    return _LOST_MEMBER if _has_member(pending) else BYTES_FOLLOW
                inflater = isal_zlib.decompressobj(wbits=31)
            elif inflater.unconsumed_tail:
                pending = inflater.unconsumed_tail
            elif not (pending := stream.read(_CHUNK)):
                return "truncated gzip"
    except igzip_lib.IsalError as error:  # type: ignore[misc]  # the stubs name an instance
        return f"damaged gzip: {error}"


def _has_member(content: bytes) -> bool:
    """Whether one more gzip seems to begin in bytes, with one byte of its first three damaged."""
    first = content[: len(_GZIP_START)]
    alike = sum(a == b for a, b in zip(first, _GZIP_START, strict=False))
    return alike >= min(len(first), 2) or _GZIP_START in content

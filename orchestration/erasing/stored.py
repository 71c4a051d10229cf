"""Reads the data files of the landing folder, and writes a landed file anew.

An erasure is the only thing that ever writes there. A file is written beside the old one, flushed,
and renamed over it: whoever looks sees the old one or the new one.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from orchestration.durable import sync
from orchestration.errors import ErasureError
from orchestration.landing import take_inventory
from orchestration.landing.archives import (
    BYTES_FOLLOW,
    Limits,
    StoredStream,
    UnreadableArchiveError,
    inflate,
    is_zip,
    list_members,
    member_of,
)

_GZIP_MAGIC = b"\x1f\x8b"
# The checksum and size that end a gzip file: without them it is cut off, as it was.
_TRAILER_BYTES = 8
# What `inflate` says of a gzip whose end is missing: all that is stored has been inflated.
_TRUNCATED = "truncated gzip"
# What operating systems write by themselves; it holds names and icons of files, no exports.
_OF_SYSTEMS = (".DS_Store", "Thumbs.db", "desktop.ini")
_LOCAL_HEADER_BYTES = 30
_COPIED_AT_ONCE = 2**20
_DESCRIPTOR_FLAG = 0x08
_LARGEST_32 = 0xFFFFFFFF


@dataclass(frozen=True)
class Stored:
    """A data file.

    Attributes:
        path: in the landing folder; `a.zip::member` inside a zip.
        stored: its bytes as they are stored.
        content: inflated, as far as it can be.
        damage: why the content ends early, or what is odd about how it is stored; null if nothing.
        is_passed_over: no reader looks at it: it is hidden, or a copy in progress.
    """

    path: str
    stored: bytes
    content: bytes
    damage: str | None = None
    is_passed_over: bool = False

    @property
    def name(self) -> str:
        """The path by which its source and its contract are found."""
        return self.path.replace("::", "/")

    @property
    def content_hash(self) -> str:
        """SHA-256 of the stored bytes, as the ledger has it."""
        return hashlib.sha256(self.stored).hexdigest()

    @property
    def rest(self) -> bytes:
        """Stored bytes that may lie behind the content, and that no reader reads."""
        return self.stored if self.damage == BYTES_FOLLOW else b""

    @property
    def is_partly_closed(self) -> bool:
        """Whether nobody can tell what some of the stored bytes say."""
        return self.damage not in (None, BYTES_FOLLOW, _TRUNCATED)

    @property
    def is_of_system(self) -> bool:
        """Whether an operating system wrote it beside the exports."""
        return _is_of_system(self.name)

    def holding(self, content: bytes) -> bytes:
        """What to store in its place; a gzip that was cut off stays one.

        What could not be inflated is not kept.
        """
        if not self.stored.startswith(_GZIP_MAGIC):
            return content
        packed = gzip.compress(content, mtime=0)
        return packed if self.damage in (None, BYTES_FOLLOW) else packed[:-_TRAILER_BYTES]


def _is_of_system(path: str) -> bool:
    name = PurePosixPath(path).name
    return name in _OF_SYSTEMS or name.startswith("._")


class LandedFiles:
    """Opens the files of a landing folder, one after the other.

    Args:
        landing: the folder.
        limits: how much a file may inflate to; a larger one is no export.
        on_unreadable: told the path of each file, or member of a zip, that cannot be opened:
            nobody knows what is in it.
    """

    def __init__(
        self, landing: Path, limits: Limits, on_unreadable: Callable[[str], None] = lambda _: None
    ) -> None:
        self.landing = landing
        self._limits = limits
        self._on_unreadable = on_unreadable

    def read(self) -> Iterator[tuple[str, Iterator[Stored]]]:
        """The data files, by landed file; those of one in memory one at a time."""
        for landed in take_inventory(self.landing).files:
            yield landed.path, self._open(landed.path)

    def read_passed_over(self) -> Iterator[Stored]:
        """What else lies there: hidden files, copies in progress."""
        known = {landed.path for landed in take_inventory(self.landing).files}
        for folder, _, names in os.walk(self.landing):
            for name in sorted(names):
                path = (Path(folder) / name).relative_to(self.landing).as_posix()
                # As the inventory writes it.
                told = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
                if told.replace("::", "%3A%3A") in known or not (self.landing / path).is_file():
                    continue
                if told == path and "::" not in path:
                    for file in self._open(path):
                        yield replace(file, is_passed_over=True)
                else:
                    self._on_unreadable(told)

    def _open(self, landed: str) -> Iterator[Stored]:
        try:
            if is_zip(landed) and not _is_of_system(landed):
                yield from self._open_zip(landed)
            else:
                yield from self._stored(landed, (self.landing / landed).read_bytes())
        except (OSError, zipfile.BadZipFile, UnreadableArchiveError):
            self._on_unreadable(landed)

    def _open_zip(self, landed: str) -> Iterator[Stored]:
        members = list_members(self.landing / landed, landed, self._limits)
        good = {member.path for member in members if not isinstance(member, Exception)}
        bad = {member.path for member in members if isinstance(member, Exception)}
        with zipfile.ZipFile(self.landing / landed) as archive:
            for entry in archive.infolist():
                path = f"{landed}::{entry.filename}"
                is_large = entry.file_size > self._limits.of(entry.compress_size)
                if entry.is_dir():
                    continue
                if path in bad or is_large:
                    self._on_unreadable(path)
                    continue
                try:
                    raw = archive.read(entry)
                except Exception:  # what zipfile raises on a damaged member is documented nowhere
                    self._on_unreadable(path)
                    continue
                yield from self._stored(path, raw, is_passed_over=path not in good)

    def _stored(self, path: str, raw: bytes, *, is_passed_over: bool = False) -> Iterator[Stored]:
        content = io.BytesIO()
        stream = StoredStream(io.BytesIO(raw), self._limits.of(len(raw)), self._limits)
        damage = inflate(stream, content)
        if damage == self._limits.told:
            self._on_unreadable(path)
        else:
            yield Stored(path, raw, content.getvalue(), damage, is_passed_over)


def rewrite(
    landing: Path,
    landed: str,
    new: Mapping[str, bytes],
    note: Callable[[str, Mapping[str, str]], None],
) -> None:
    """Write a landed file anew, with other bytes for some of its data files.

    Args:
        landing: the landing folder.
        landed: the file in it.
        new: by path of the data file, what to store.
        note: called when the new file is complete and on disk, before it takes the place of the
            old one, with its SHA-256 and the content hashes of the changed data files.

    Raises:
        ErasureError: the folder cannot be written to.
    """
    # A link stays a link: what it leads to is what holds the rows.
    target = (landing / landed).resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        mode = target.stat().st_mode & 0o7777
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb+") as output:
            if is_zip(landed):
                _write_zip(target, output, {member_of(p)[1] or "": b for p, b in new.items()})
            else:
                output.write(new[landed])
            output.flush()
            output.seek(0)
            landed_hash = hashlib.file_digest(output, "sha256").hexdigest()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        note(landed_hash, {path: hashlib.sha256(raw).hexdigest() for path, raw in new.items()})
        draft.replace(target)
        sync(target.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ErasureError(
            f"{landing / landed} cannot be rewritten ({error.strerror}). Let the account that runs "
            "northstar write to the landing folder, and run `make run`, which completes the "
            "erasure."
        ) from error


def remove_drafts(landing: Path) -> None:
    """Remove what a killed erasure was writing."""
    for folder, _, names in os.walk(landing):
        for name in names:
            stem, _, pid = name.rpartition(".")
            if name.startswith(".") and pid.isdigit() and (Path(folder) / stem[1:]).is_file():
                (Path(folder) / name).unlink()


def _write_zip(source: Path, output: io.BufferedRandom, new: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(output, "w") as after:
        after.comment = before.comment
        for entry in before.infolist():
            if entry.filename in new:
                after.writestr(entry, new[entry.filename], compress_type=entry.compress_type)
            else:
                _copy_member(before, entry, after)


def _copy_member(before: zipfile.ZipFile, entry: zipfile.ZipInfo, after: zipfile.ZipFile) -> None:
    """Copy a member as it is stored, byte for byte: nobody may be able to open it."""
    source, target = before.fp, after.fp
    assert source is not None and target is not None  # noqa: S101, PT018 - both are open
    copied = copy(entry)
    copied.header_offset = after.start_dir
    source.seek(max(0, entry.header_offset))
    header = source.read(_LOCAL_HEADER_BYTES)
    target.seek(after.start_dir)
    target.write(header)
    left = 0
    if len(header) == _LOCAL_HEADER_BYTES:
        name_bytes, extra_bytes = struct.unpack("<HH", header[-4:])
        left = name_bytes + extra_bytes + entry.compress_size
    while left and (chunk := source.read(min(left, _COPIED_AT_ONCE))):
        target.write(chunk)
        left -= len(chunk)
    if entry.flag_bits & _DESCRIPTOR_FLAG:  # says behind the member how large it is
        is_large = max(entry.compress_size, entry.file_size) > _LARGEST_32
        sizes = (entry.CRC, entry.compress_size, entry.file_size)
        target.write(struct.pack("<4sLQQ" if is_large else "<4sLLL", b"PK\x07\x08", *sizes))
    after.start_dir = target.tell()
    after.filelist.append(copied)
    after.NameToInfo[copied.filename] = copied

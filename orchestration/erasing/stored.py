"""Reads the data files of the landing folder, and writes a landed file anew.

An erasure is the only thing that ever writes there. A file is written beside the old one, flushed,
and renamed over it: whoever looks sees the old one or the new one.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.durable import sync
from orchestration.errors import ErasureError
from orchestration.landing.archives import (
    Limits,
    StoredStream,
    UnreadableArchiveError,
    inflate,
    is_zip,
    list_members,
    member_of,
    not_opened,
)

_GZIP_MAGIC = b"\x1f\x8b"
# The checksum and size that end a gzip file: without them it is cut off, as it was.
_TRAILER_BYTES = 8


@dataclass(frozen=True)
class Stored:
    """A data file.

    Attributes:
        path: in the landing folder; `a.zip::member` inside a zip.
        stored: its bytes as they are stored.
        content: inflated, as far as it can be.
        is_gzip: whether it is stored as gzip.
        is_damaged: whether it ends early.
    """

    path: str
    stored: bytes
    content: bytes
    is_gzip: bool
    is_damaged: bool

    @property
    def name(self) -> str:
        """The path by which its source and its contract are found."""
        return self.path.replace("::", "/")

    @property
    def content_hash(self) -> str:
        """SHA-256 of the stored bytes, as the ledger has it."""
        return hashlib.sha256(self.stored).hexdigest()

    def holding(self, content: bytes) -> bytes:
        """What to store in its place; a gzip that was cut off stays one."""
        if not self.is_gzip:
            return content
        packed = gzip.compress(content, mtime=0)
        return packed[:-_TRAILER_BYTES] if self.is_damaged else packed


def read_landed(landing: Path, landed: str) -> Iterator[Stored]:
    """The data files of one landed file.

    Raises:
        UnreadableArchiveError: it, or a member of it, cannot be opened, or is larger than any
            export: nobody knows what is in it.
    """
    limits = Limits()
    if not is_zip(landed):
        try:
            raw = (landing / landed).read_bytes()
        except OSError as error:
            raise UnreadableArchiveError(not_opened(error)) from error
        yield _stored(landed, raw, limits)
        return
    for member in list_members(landing / landed, landed, limits):
        if isinstance(member, UnreadableArchiveError):
            raise member
    try:
        with zipfile.ZipFile(landing / landed) as archive:
            for entry in archive.infolist():
                if not entry.is_dir():
                    yield _stored(f"{landed}::{entry.filename}", archive.read(entry), limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise UnreadableArchiveError(not_opened(error)) from error


def _stored(path: str, raw: bytes, limits: Limits) -> Stored:
    content = io.BytesIO()
    stream = StoredStream(io.BytesIO(raw), limits.of(len(raw)), limits)
    damage = inflate(stream, content)
    if damage == limits.told:
        raise UnreadableArchiveError(damage, path)
    return Stored(
        path, raw, content.getvalue(), raw.startswith(_GZIP_MAGIC), is_damaged=damage is not None
    )


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
            if entry.is_dir():
                after.writestr(entry, b"")
                continue
            content = new.get(entry.filename)
            raw = before.read(entry) if content is None else content
            after.writestr(entry, raw, compress_type=entry.compress_type)

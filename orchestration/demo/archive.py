"""Writes files that are the same bytes every time: no clock, no user, no order of a folder."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from isal import isal_zlib

_ZIP_TIME = (2020, 1, 1, 0, 0, 0)
# ISA-L: six times as fast as zlib, 17 % larger. The locked package also gives the same bytes
# under every Python, which zlib does not.
_GZIP_LEVEL = 2
_GZIP_FORMAT = 31


def compress(text: str) -> bytes:
    """UTF-8, gzipped without a time in the header."""
    content: bytes = isal_zlib.compress(text.encode(), _GZIP_LEVEL, _GZIP_FORMAT)
    return content


def write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    """A zip of members that are compressed already, by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.create_system = 3  # the same header on every operating system
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, members[name])


def write_bytes(path: Path, content: bytes) -> None:
    """A file, with the folders it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_json(path: Path, value: object) -> None:
    """A JSON document, gzipped where the name says so."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    write_bytes(path, compress(text) if path.suffix == ".gz" else text.encode())


def write_json_lines(path: Path, values: Iterable[object]) -> None:
    """One JSON object a line, gzipped where the name says so."""
    text = "".join(
        json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n" for value in values
    )
    write_bytes(path, compress(text) if path.suffix == ".gz" else text.encode())

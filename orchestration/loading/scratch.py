"""The scratch folder: the files of a batch, inflated, for the time of their load.

Exports come as thousands of small files, and opening one costs DuckDB as much as reading a hundred
events. Small files of JSON lines are therefore joined into larger ones; every line is tagged with
the number of its file, as its first key.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from threading import Lock

from orchestration.landing.archives import inflate, open_stored
from orchestration.loading.batch import Joined, UnpackedFile
from orchestration.loading.ledger import Entry

# How a line begins that is tagged with the number of its file.
TAG = "northstar:file"
TAG_START = f'{{"{TAG}":'
_INFLATERS = 2
_SMALL_STORED_BYTES = 64 * 2**10
# A bad line costs its part the slow way of reading.
_PART_BYTES = 2**20


class Scratch(AbstractContextManager[list[UnpackedFile]]):
    """Inflates the data files of some ledger entries.

    Args:
        folder: emptied before and after; private, since it holds what the exports hold.
        landing: where the entries' files are.
        entries: the files.
        joins: whether small files may be joined, which only JSON lines can be.
    """

    def __init__(
        self, folder: Path, landing: Path, entries: Sequence[Entry], *, joins: bool
    ) -> None:
        self._folder = folder
        self._landing = landing
        self._entries = {entry.path: (number, entry) for number, entry in enumerate(entries)}
        self._joins = joins
        self._lock = Lock()
        self._parts = 0
        self._part = io.BytesIO()
        self._part_lines = 0

    def __enter__(self) -> list[UnpackedFile]:
        shutil.rmtree(self._folder, ignore_errors=True)  # of a run that was killed
        self._folder.mkdir(parents=True, mode=0o700)
        with ThreadPoolExecutor(_INFLATERS) as pool:
            files = [file for share in pool.map(self._inflate, self._shares()) for file in share]
        self._close_part()
        return files

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _shares(self) -> list[list[str]]:
        """Paths by landed file; a large zip is cut so that every core has work."""
        by_landed: dict[str, list[str]] = {}
        for path, (_, entry) in self._entries.items():
            by_landed.setdefault(entry.landed_path, []).append(path)
        return [
            paths[start::_INFLATERS]
            for paths in by_landed.values()
            for start in range(min(_INFLATERS, len(paths)))
        ]

    def _inflate(self, paths: Sequence[str]) -> list[UnpackedFile]:
        files = []
        for path, stream in open_stored(self._landing, paths):
            number, entry = self._entries[path]
            file = UnpackedFile(entry.file_id, path, self._folder / f"{number}.txt")
            if self._joins and entry.stored_size <= _SMALL_STORED_BYTES:
                content = io.BytesIO()
                damage = inflate(stream, content)
                joined = None if damage else self._join(number, content.getvalue())
                if joined is None:
                    file.text.write_bytes(content.getvalue())
                files.append(replace(file, damage=damage, joined=joined))
            else:
                with file.text.open("wb", buffering=0) as output:
                    files.append(replace(file, damage=inflate(stream, output)))
        return files

    def _join(self, number: int, content: bytes) -> Joined | None:
        """Add a file to the current part; null if its lines are not all plainly objects."""
        if not content.endswith(b"\n"):
            content += b"\n"
        tag = f"{TAG_START}{number},".encode()
        lines = content.count(b"\n")
        is_plain = content.count(b"\n{") == lines - 1 and content.count(b"}\n") == lines
        if content[:1] != b"{" or not is_plain:
            return None
        tagged = tag + content[1:].replace(b"\n{", b"\n" + tag)
        with self._lock:
            if self._part.tell() + len(tagged) > _PART_BYTES:
                self._close_part()
            start, first_line = self._part.tell(), self._part_lines + 1
            self._part.write(tagged)
            self._part_lines += lines
            return Joined(
                part=self._part_path(),
                number=number,
                tag=tag,
                start=start,
                end=start + len(tagged),
                first_line=first_line,
                lines=lines,
            )

    def _close_part(self) -> None:
        if self._part.tell():
            self._part_path().write_bytes(self._part.getvalue())
        self._parts += 1
        self._part = io.BytesIO()
        self._part_lines = 0

    def _part_path(self) -> Path:
        return self._folder / f"part-{self._parts}.txt"


def by_text(files: Sequence[UnpackedFile]) -> Mapping[Path, list[UnpackedFile]]:
    """The files by the file of the scratch folder that holds their lines."""
    found: dict[Path, list[UnpackedFile]] = {}
    for file in files:
        found.setdefault(file.joined.part if file.joined else file.text, []).append(file)
    return found

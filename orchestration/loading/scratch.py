"""The scratch folder: the files of a batch, inflated, for the time of their load.

Exports come as thousands of small files, and opening one costs DuckDB as much as reading a hundred
events. Small files of JSON lines are therefore joined into larger ones; every line is tagged with
the number of its file, as its first key.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Self

from orchestration.landing.archives import Limits, StoredStream, inflate, open_stored
from orchestration.loading.batch import Joined, UnpackedFile
from orchestration.loading.ledger import Entry
from orchestration.loading.sharing import map_shares

_Batch = tuple[Sequence[Entry], bool]

# How a line begins that is tagged with the number of its file.
TAG = "northstar:file"
TAG_START = f'{{"{TAG}":'
_OPENING, _CLOSING = b"{}"
_INFLATERS = 2
_SMALL_STORED_BYTES = 64 * 2**10
# A bad line costs its part the slow way of reading.
_PART_BYTES = 4 * 2**20


class Scratch(AbstractContextManager["Scratch"]):
    """Inflates the data files of a load, a batch at a time.

    The files of one batch are written over those of an earlier one: taking new pages from the
    kernel costs more than filling them.

    Args:
        folder: emptied before and after; private, since it holds what the exports hold.
        landing: where the entries' files are.
        limits: how much a file may inflate to.
    """

    def __init__(self, folder: Path, landing: Path, limits: Limits | None = None) -> None:
        self._folder = folder
        self._landing = landing
        self._limits = limits

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)  # of a run that was killed
        self._folder.mkdir(parents=True, mode=0o700)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def inflate(self, batches: Iterable[_Batch]) -> Generator[list[UnpackedFile]]:
        """Inflate the files of batches, one batch ahead of the one that is worked on.

        Args:
            batches: files, and whether small ones may be joined, which only JSON lines can be.

        Yields:
            The files of a batch; those of the batch before are gone with it.
        """
        folders = [self._folder / "even", self._folder / "odd"]
        for folder in folders:
            folder.mkdir(mode=0o700)
        with ThreadPoolExecutor(_INFLATERS) as pool, ThreadPoolExecutor(1) as ahead:
            waiting: Future[list[UnpackedFile]] | None = None
            for number, (entries, joins) in enumerate(batches):
                batch = _Inflation(
                    folders[number % 2], self._landing, entries, self._limits, joins=joins
                )
                started = ahead.submit(batch.run, pool)
                if waiting is not None:
                    yield waiting.result()
                waiting = started
            if waiting is not None:
                yield waiting.result()


class _Inflation:
    """Inflates the files of one batch into a folder, over those of an earlier one."""

    def __init__(
        self,
        folder: Path,
        landing: Path,
        entries: Sequence[Entry],
        limits: Limits | None,
        *,
        joins: bool,
    ) -> None:
        self._folder = folder
        self._landing = landing
        self._limits = limits
        self._joins = joins
        self._entries = {entry.path: (number, entry) for number, entry in enumerate(entries)}
        self._lock = Lock()
        self._parts = 0
        self._begin_part()

    def run(self, pool: ThreadPoolExecutor) -> list[UnpackedFile]:
        """Inflate all of them; the pool's threads share the work."""
        inflated = map_shares(pool, self._inflate, self._landed(), size=self._stored_size)
        files = list(chain.from_iterable(inflated))
        self._close_part()
        return files

    def _landed(self) -> Iterator[list[str]]:
        """Paths by landed file; a large zip is cut so that every core has work."""
        by_landed: dict[str, list[str]] = {}
        for path, (_, entry) in self._entries.items():
            by_landed.setdefault(entry.landed_path, []).append(path)
        for paths in by_landed.values():
            for start in range(min(_INFLATERS, len(paths))):
                yield paths[start::_INFLATERS]

    def _stored_size(self, paths: Sequence[str]) -> int:
        return sum(self._entries[path][1].stored_size for path in paths)

    def _inflate(self, share: Sequence[Sequence[str]]) -> list[UnpackedFile]:
        opened = (open_stored(self._landing, paths, self._limits) for paths in share)
        return [self._inflate_one(*one) for one in chain.from_iterable(opened)]

    def _inflate_one(self, path: str, stream: StoredStream) -> UnpackedFile:
        number, entry = self._entries[path]
        if not self._joins or entry.stored_size > _SMALL_STORED_BYTES:
            file = self._alone(number, entry)
            with _write_over(file.text) as output:
                return replace(file, damage=inflate(stream, output))
        buffer = io.BytesIO()
        damage = inflate(stream, buffer)
        content = buffer.getvalue()
        joined = None if damage else self._join(number, entry, content)
        if joined is not None:
            return joined
        file = self._alone(number, entry)
        with _write_over(file.text) as output:
            output.write(content)
        return replace(file, damage=damage)

    def _alone(self, number: int, entry: Entry) -> UnpackedFile:
        return UnpackedFile(entry.file_id, entry.path, self._folder / f"{number}.txt")

    def _join(self, number: int, entry: Entry, content: bytes) -> UnpackedFile | None:
        """Add a file to the current part; null if its lines are not all plainly objects."""
        tag = f"{TAG_START}{number},".encode()
        pieces = _tagged(content, tag)
        if pieces is None:
            return None
        tagged = b"".join(pieces)
        with self._lock:
            if self._part.tell() + len(tagged) > _PART_BYTES:
                self._close_part()
            start, first_line, lines = self._part.tell(), self._part_lines + 1, len(pieces) // 2
            self._part.write(tagged)
            self._part_lines += lines
            joined = Joined(number, tag, start, start + len(tagged), first_line, lines)
            return UnpackedFile(entry.file_id, entry.path, self._part_path, joined=joined)

    def _close_part(self) -> None:
        if self._part.tell():
            with _write_over(self._part_path) as output:
                output.write(self._part.getvalue())
        self._parts += 1
        self._begin_part()

    def _begin_part(self) -> None:
        self._part = io.BytesIO()
        self._part_lines = 0
        self._part_path = self._folder / f"part-{self._parts}.txt"


def _tagged(content: bytes, tag: bytes) -> list[bytes | memoryview] | None:
    """Tag and rest of each line in turn; null if one is not plainly an object.

    Pieces of the content are not copied: there is a line for each event of a school's history.
    """
    view = memoryview(content)
    pieces: list[bytes | memoryview] = []
    start, end = 0, len(content)
    while start < end:
        stop = content.find(b"\n", start)
        if stop < 0:
            stop = end
        if content[start] != _OPENING or content[stop - 1] != _CLOSING:
            return None
        pieces += tag, view[start + 1 : stop + 1]
        start = stop + 1
    if not content.endswith(b"\n"):
        pieces.append(b"\n")
    return pieces if start else None


@contextmanager
def _write_over(path: Path) -> Iterator[io.FileIO]:
    """Open a file for writing from its beginning; what is left behind the end is cut off."""
    with io.FileIO(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as output:
        yield output
        output.truncate()


def by_text(files: Sequence[UnpackedFile]) -> Mapping[Path, list[UnpackedFile]]:
    """The files by the file of the scratch folder that holds their lines."""
    found: dict[Path, list[UnpackedFile]] = {}
    for file in files:
        found.setdefault(file.text, []).append(file)
    return found

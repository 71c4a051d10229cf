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
from pathlib import Path
from threading import Lock
from typing import Self

from orchestration.landing.archives import Limits, inflate, open_stored
from orchestration.loading.batch import Joined, UnpackedFile
from orchestration.loading.ledger import Entry

_Batch = tuple[Sequence[Entry], bool]

# How a line begins that is tagged with the number of its file.
TAG = "northstar:file"
TAG_START = f'{{"{TAG}":'
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
        self._part = io.BytesIO()
        self._part_lines = 0

    def run(self, pool: ThreadPoolExecutor) -> list[UnpackedFile]:
        """Inflate all of them; the pool's threads share the work."""
        files = [file for share in pool.map(self._inflate, self._shares()) for file in share]
        self._close_part()
        return files

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
        for path, stream in open_stored(self._landing, paths, self._limits):
            number, entry = self._entries[path]
            file = UnpackedFile(entry.file_id, path, self._folder / f"{number}.txt")
            if self._joins and entry.stored_size <= _SMALL_STORED_BYTES:
                content = io.BytesIO()
                damage = inflate(stream, content)
                joined = None if damage else self._join(number, content.getvalue())
                if joined is None:
                    with _write_over(file.text) as output:
                        output.write(content.getvalue())
                files.append(replace(file, damage=damage, joined=joined))
            else:
                with _write_over(file.text) as output:
                    files.append(replace(file, damage=inflate(stream, output)))
        return files

    def _join(self, number: int, content: bytes) -> Joined | None:
        """Add a file to the current part; null if its lines are not all plainly objects."""
        tag = f"{TAG_START}{number},".encode()
        # Splitting looks for single bytes, at several times the speed of looking for two.
        objects = content.removesuffix(b"\n").split(b"\n")
        if not all(line.startswith(b"{") and line.endswith(b"}") for line in objects):
            return None
        tagged = b"".join(tag + line[1:] + b"\n" for line in objects)
        lines = len(objects)
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
            with _write_over(self._part_path()) as output:
                output.write(self._part.getvalue())
        self._parts += 1
        self._part = io.BytesIO()
        self._part_lines = 0

    def _part_path(self) -> Path:
        return self._folder / f"part-{self._parts}.txt"


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
        found.setdefault(file.joined.part if file.joined else file.text, []).append(file)
    return found

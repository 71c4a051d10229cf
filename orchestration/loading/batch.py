"""What a source's reader receives and gives back. One transaction holds a batch of files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb

from orchestration.landing.archives import BYTES_FOLLOW


@dataclass(frozen=True)
class Joined:
    """Where a small file lies among others in one file of the scratch folder, a part.

    Attributes:
        number: which every line of this one names, under `northstar:file`.
        tag: how the line begins with it, in the place of its `{`.
        start, end: the bytes of its lines in the part.
        first_line, lines: the number of its first line there (from 1), and how many they are.
    """

    number: int
    tag: bytes
    start: int
    end: int
    first_line: int
    lines: int


@dataclass(frozen=True)
class UnpackedFile:
    """One data file, inflated into the scratch folder.

    Attributes:
        file_id: its id in `raw.loaded_files`.
        path: its path in the landing folder, `a.zip::member` inside a zip.
        text: where its bytes lie, inflated but not decoded; of a joined file, the part.
        damage: why the bytes end early, such as a truncated gzip, or what is odd about how they are
            stored; what came before is there.
        joined: where its lines are, if they were joined with those of other small files.
    """

    file_id: int
    path: str
    text: Path
    damage: str | None = None
    joined: Joined | None = None

    @property
    def is_cut_off(self) -> bool:
        """Whether the bytes end early: not if all are there, and something else is behind them."""
        return self.damage not in (None, BYTES_FOLLOW)

    def alone(self) -> UnpackedFile:
        """The file on its own, taken out of what it was joined into."""
        if self.joined is None:
            return self
        with self.text.open("rb") as lines:
            lines.seek(self.joined.start)
            tagged = lines.read(self.joined.end - self.joined.start)
        content = tagged.removeprefix(self.joined.tag).replace(b"\n" + self.joined.tag, b"\n{")
        text = self.text.with_name(f"{self.joined.number}.txt")
        text.write_bytes(b"{" + content)
        return replace(self, text=text, joined=None)


@dataclass
class FileCounts:
    """What became of a file's rows. Rows that were loaded or are repeats are counted in `raw`.

    Attributes:
        rows_in: rows of the file: non-empty lines of JSON, records of a CSV, elements of a page.
        quarantined: rows that could not be read; each has a row in `raw.quarantined_rows`.
        not_in_plan: rows that the contract does not name.
        erased: rows of people who asked to be forgotten; they are among `rows_in`.
        newest_at: the newest export time in the file, UTC; makes the as-of.
        reason: what is wrong with the file as a whole, and what to do.
    """

    rows_in: int = 0
    quarantined: int = 0
    not_in_plan: int = 0
    erased: int = 0
    newest_at: datetime | None = None
    reason: str | None = None

    def leave_out(self, erased: int) -> None:
        """Count rows that were read and then left out, since their people were erased."""
        self.rows_in += erased
        self.erased += erased


class Reader(ABC):
    """Reads the files of one source into its raw tables; never fails because of their content."""

    source: str
    tables: Sequence[str]

    def prepare(  # noqa: B027 - most readers have nothing that needs it
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> None:
        """Do what may fail on a file's content, into temporary tables, before the transaction.

        An error inside of a transaction would abort it as a whole.
        """

    @abstractmethod
    def read(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> Mapping[int, FileCounts]:
        """Write the files' rows, inside the caller's transaction; returns the counts by file id.

        The connection has the pseudonym macros. Rows go to `tables` (with `duplicate_reason`
        null), `raw.quarantined_rows` and `raw.unknown_fields`, and nowhere else.
        """

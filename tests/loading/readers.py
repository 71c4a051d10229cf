"""Runs a reader on texts as the loader does, and holds every file's account against its rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any

import duckdb

from orchestration.contracts import SurveyMapping
from orchestration.loading import pseudonyms
from orchestration.loading.batch import FileCounts, Reader, UnpackedFile
from orchestration.settings import REPOSITORY

SECRET = b"a secret for tests"
SHARED = Path(os.environ.get("NORTHSTAR_SHARED", REPOSITORY.parent / "shared"))


class Desk:
    """A warehouse of raw tables, and a scratch folder.

    Attributes:
        folder: for scratch files.
        counts: of the files read last, by file id.
        rows: the raw rows of the files read last, in the order of file and line.
        quarantined: (file id, line, reason) of the files read last.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self._scratch = count()
        self.counts: Mapping[int, FileCounts] = {}
        self.rows: list[dict[str, Any]] = []
        self.quarantined: list[tuple[int, int | None, str]] = []

    def read(
        self, reader: Reader, *contents: str | bytes, damage: str | None = None
    ) -> list[dict[str, Any]]:
        """Read files of these contents in one batch, check their accounts, and return the rows.

        Their ids are 0, 1, ... What was there before is forgotten.
        """
        self._forget(reader)
        files = []
        for file_id, content in enumerate(contents):
            text = self.folder / f"scratch-{next(self._scratch)}"
            text.write_bytes(content if isinstance(content, bytes) else content.encode())
            files.append(UnpackedFile(file_id, f"files/{file_id}", text, damage))
        reader.prepare(self.connection, files)
        self.connection.begin()
        self.counts = reader.read(self.connection, files)
        self.connection.commit()
        for text in self.folder.glob("scratch-*"):
            text.unlink()
        self.rows = self.select(f"from {reader.tables[0]} order by file_id, line_number, rowid")
        self.quarantined = self.connection.execute(
            "select file_id, line_number, reason from raw.quarantined_rows "
            "order by file_id, line_number, rowid"
        ).fetchall()
        self._check_accounts(range(len(contents)))
        return self.rows

    def select(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query as dictionaries."""
        found = self.connection.execute(sql)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def key(self, message: str) -> Any:
        """The keyed hash of a message."""
        return pseudonyms.keyed_uuid(SECRET, message)

    def _forget(self, reader: Reader) -> None:
        for table in (*reader.tables, "raw.quarantined_rows", "raw.unknown_fields"):
            self.connection.execute(f"delete from {table}")

    def _check_accounts(self, file_ids: range) -> None:
        for file_id in file_ids:
            found = self.counts[file_id]
            loaded = sum(row["file_id"] == file_id for row in self.rows)
            quarantined = sum(row[0] == file_id for row in self.quarantined)
            assert found.quarantined == quarantined
            assert found.rows_in == loaded + quarantined + found.not_in_plan


@contextmanager
def open_desk(folder: Path) -> Iterator[Desk]:
    """A desk with a warehouse file of its own."""
    connection = duckdb.connect(str(folder / "warehouse.duckdb"))
    try:
        connection.execute("set TimeZone = 'UTC'")
        schema = resources.files("orchestration.loading").joinpath("schema.sql")
        connection.execute(schema.read_text())
        pseudonyms.install(connection, SECRET)
        yield Desk(connection, folder)
    finally:
        connection.close()


def mapping(**changes: Any) -> SurveyMapping:
    """A mapping of a survey, as its YAML would say."""
    document = {"survey": "alumni", "source": "survey", "files": ["*.csv"]}
    return SurveyMapping.parse(document | changes, Path("alumni.yml"))

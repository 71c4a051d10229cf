"""Readers that collect a batch's rows in temporary tables before the transaction that writes them.

What nobody foresaw in a file then costs that file, and neither its batch nor the run.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final

import duckdb

from orchestration.loading.batch import FileCounts, Reader, UnpackedFile
from orchestration.loading.sql import literal

# Where `_collect` puts what it finds. Rows of the raw table; file_id, line_number, line, reason of
# what cannot be read; file_id, field, occurrences of what the contract does not name.
COLLECTED: Final = "collected_rows"
UNREADABLE: Final = "collected_unreadable"
UNKNOWN: Final = "collected_unknown"

# What a value can make DuckDB raise. Full disks and exhausted memory are no fault of a file.
CONTENT_ERRORS: Final = (duckdb.DataError, duckdb.InvalidInputException)


class CollectingReader(Reader):
    """A reader of one raw table whose files are small enough to be held once more for a moment."""

    def __init__(self) -> None:
        self._counts: dict[int, FileCounts] = {}

    def prepare(self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]) -> None:
        """Collect the rows of the files; see `Reader`."""
        self._counts = {}
        for statement in (
            f"{COLLECTED} as from {self.tables[0]} limit 0",
            f"{UNREADABLE} (file_id bigint, line_number bigint, line varchar, reason varchar)",
            f"{UNKNOWN} (file_id bigint, field varchar, occurrences bigint)",
        ):
            connection.execute(f"create or replace temp table {statement}")
        self._collect_each(connection, files)

    def read(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> Mapping[int, FileCounts]:
        """Write what was collected; see `Reader`."""
        connection.execute(f"insert into {self.tables[0]} from {COLLECTED}")
        connection.execute(
            f"""
            insert into raw.quarantined_rows (file_id, line_number, line_hash, reason)
            select file_id, line_number, keyed_uuid('line:' || line), reason from {UNREADABLE}
            """
        )
        connection.execute(
            f"""
            insert into raw.unknown_fields (file_id, source, field, occurrences, is_sampled)
            select file_id, {literal(self.source)}, field, occurrences, false from {UNKNOWN}
            """
        )
        for table in (COLLECTED, UNREADABLE, UNKNOWN):
            connection.execute(f"drop table {table}")
        return {file.file_id: self._counts[file.file_id] for file in files}

    @abstractmethod
    def _collect(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> Mapping[int, FileCounts]:
        """Put the rows of the files into the three tables; returns the counts of every file."""

    def _collect_each(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> None:
        if not files:
            return
        try:
            self._counts.update(self._collect(connection, files))
        except CONTENT_ERRORS as error:
            for table in (COLLECTED, UNREADABLE, UNKNOWN):
                connection.execute(
                    f"delete from {table} where file_id in (select unnest($1))",
                    [[file.file_id for file in files]],
                )
            if len(files) > 1:
                half = len(files) // 2
                self._collect_each(connection, files[:half])
                self._collect_each(connection, files[half:])
                return
            # The message would quote the file: the kind of error must do.
            reason = f"cannot be read ({type(error).__name__}); export it again"
            connection.execute(
                f"insert into {UNREADABLE} values ($1, null, null, $2)", [files[0].file_id, reason]
            )
            self._counts[files[0].file_id] = FileCounts(rows_in=1, quarantined=1, reason=reason)

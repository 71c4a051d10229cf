"""The warehouse file: opening it, and the stamp of the run that writes it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from importlib import resources
from pathlib import Path

import duckdb

from orchestration.errors import WarehouseError
from orchestration.modes import private_files
from orchestration.settings import Settings
from orchestration.stopping import stops_recognised

_DAMAGE = (
    duckdb.IOException,
    duckdb.SerializationException,
    duckdb.InternalException,
    duckdb.FatalException,
)


@contextmanager
def connect(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse for the time of a block; it is closed whatever happens in it.

    Only a holder of the rebuild lock may do so. The file, its folder and whatever DuckDB puts there
    (the write-ahead log, what it spills) are private: 0700 and 0600, whatever the umask.

    Raises:
        WarehouseError: the file is damaged, or another process has it open.
        KeyboardInterrupt: the run was stopped.
    """
    folder = settings.warehouse.parent
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    # What a killed run spilled to disk may hold identifiers.
    shutil.rmtree(_spill(settings), ignore_errors=True)
    with private_files(), stops_recognised():
        connection = _open(settings)
        try:
            settings.warehouse.chmod(0o600)
            connection.execute("set TimeZone = 'UTC'")
            _create_tables(connection)
            yield connection
        except _DAMAGE as error:
            # Files of other folders are read through this connection, too.
            if isinstance(error, duckdb.IOException) and str(settings.warehouse) not in str(error):
                raise
            raise _damaged(settings, error) from None
        finally:
            connection.close()


def _open(settings: Settings) -> duckdb.DuckDBPyConnection:
    warehouse = settings.warehouse
    log = warehouse.with_name(f"{warehouse.name}.wal")
    if not warehouse.exists():
        # The changes that a killed run made last, to a file that is gone.
        log.unlink(missing_ok=True)
    try:
        return duckdb.connect(str(warehouse), config=_configuration(settings))
    except duckdb.Error as error:
        if "could not set lock" in str(error).lower():
            raise WarehouseError(
                f"Another process has {warehouse} open ({error}). Nothing but the pipeline opens "
                "it: close it there, read data/published/northstar.duckdb instead, and run again."
            ) from error
        raise _damaged(settings, error) from None


def _damaged(settings: Settings, error: duckdb.Error) -> WarehouseError:
    """Without the driver's text, which may quote what is in the file, and would be recorded with
    the error if it stood behind it.
    """
    warehouse = settings.warehouse
    return WarehouseError(
        f"{warehouse} cannot be used ({type(error).__name__}): it is damaged. Everything in it "
        f"comes from landing: delete it, and {warehouse.name}.wal beside it, and run again. The "
        "published file is as it was."
    )


def _create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the raw tables. Those of another version of northstar are dropped: everything in
    them comes from landing, and the next load brings it back.
    """
    schema = resources.files(__package__).joinpath("schema.sql").read_text()
    digest = hashlib.sha256(schema.encode()).hexdigest()
    connection.execute("create schema if not exists raw")
    connection.execute("create table if not exists raw.schema_version (digest varchar not null)")
    found = connection.execute("select digest from raw.schema_version").fetchone()
    if found is not None and found[0] == digest:
        return
    connection.begin()
    connection.execute("drop schema raw cascade")
    connection.execute(schema)
    connection.execute("create table raw.schema_version (digest varchar not null)")
    connection.execute("insert into raw.schema_version values (?)", [digest])
    connection.commit()


def _spill(settings: Settings) -> Path:
    return settings.warehouse.parent / "spill"


def _configuration(settings: Settings) -> dict[str, str | bool | int | float | list[str]]:
    configuration: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        "temp_directory": str(_spill(settings)),
        # Nothing is fetched at run time: what is not built in is an error, not a download.
        "autoinstall_known_extensions": False,
    }
    if settings.threads is not None:
        configuration["threads"] = settings.threads
    return configuration


def share_memory(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Leave a quarter of DuckDB's memory to Python, until the warehouse is closed.

    While exports are loaded DuckDB keeps as much of the warehouse in memory as it may, also when it
    closes it, and Python holds inflated files and the ledger beside it.
    """
    whole = settings.memory_limit
    found = connection.execute("select parse_formatted_bytes($1) * 3 // 4", [whole]).fetchall()
    connection.execute(f"set memory_limit = '{found[0][0]} bytes'")


def stamp_run(connection: duckdb.DuckDBPyConnection, run_id: str) -> int:
    """Write which run works on the warehouse, before its first write.

    Returns:
        The number of this load; it grows by one with every run.
    """
    connection.begin()
    row = connection.execute("select max(load_number) from raw.run_stamp").fetchone()
    load_number = (row[0] or 0) + 1 if row else 1
    connection.execute("delete from raw.run_stamp")
    connection.execute("insert into raw.run_stamp values (?, ?)", [run_id, load_number])
    connection.commit()
    return load_number


def stamped_run(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The run that wrote the warehouse last."""
    row = connection.execute("select run_id from raw.run_stamp").fetchone()
    return row[0] if row else None


def mark_days_built(connection: duckdb.DuckDBPyConnection, load_number: int) -> None:
    """Forget the touched days up to a load: the marts have been built from them."""
    connection.execute("delete from raw.touched_days where load_number <= ?", [load_number])


def as_of(connection: duckdb.DuckDBPyConnection, settings: Settings) -> date | None:
    """The day as of which everything is judged, in the reporting zone; null without any file.

    It is the day after the newest export time loaded, unless the setting names another.
    """
    if settings.as_of is not None:
        return settings.as_of
    row = connection.execute(
        """
        select (max(newest_at) at time zone 'UTC' at time zone ?)::date + 1
        from raw.loaded_files
        """,
        [settings.reporting_timezone],
    ).fetchone()
    return row[0] if row else None

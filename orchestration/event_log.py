"""Keeps Dagster's SQLite connections open while a run writes its events.

Dagster opens a database anew for every statement and waits for the disk each time, several times
for one event: with a thousand events of a rebuild this takes longer than building the marts. Kept
open, and in SQLite's write-ahead mode (which Dagster has set) waiting for the disk only at
checkpoints, an event takes a quarter of the time. A power cut may cost the last events of a run's
log, not the log. Storage other than Dagster's own SQLite is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

# As Dagster waits for another process's write.
_BUSY_SECONDS = 60


@contextmanager
def connections_kept(instance: dg.DagsterInstance) -> Iterator[None]:
    """Keep the connections of the event log open for the time of a block."""
    storage = instance.event_log_storage
    if type(storage) is not SqliteEventLogStorage or "_connect" in vars(storage):
        yield
        return
    engines: dict[str, Engine] = {}

    @contextmanager
    def connect(shard: str) -> Iterator[Connection]:
        with storage._db_lock:
            if shard not in engines:
                engines[shard] = _engine(storage.conn_string_for_shard(shard))
            if shard not in storage._initialized_dbs:
                storage._initdb(engines[shard])
                storage._initialized_dbs.add(shard)
            with engines[shard].begin() as connection:
                yield connection

    # Found on the object before that of its class.
    vars(storage)["_connect"] = connect
    try:
        yield
    finally:
        del vars(storage)["_connect"]
        for engine in engines.values():
            engine.dispose()


def _engine(address: str) -> Engine:
    # The storage's own lock lets one thread in at a time, which SQLite cannot know.
    arguments = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(address, poolclass=QueuePool, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _wait_for_the_disk_at_checkpoints(connection: Any, _: object) -> None:
        connection.execute("pragma synchronous = normal")

    return engine

"""Keeps Dagster's SQLite connections open while a run writes its events.

Dagster opens a database anew for every statement and waits for the disk each time, several times
for one event: with a thousand events of a rebuild this takes longer than building the marts. Kept
open, and in SQLite's write-ahead mode (which Dagster has set) waiting for the disk only at
checkpoints, an event takes a quarter of the time. A power cut may cost the last events of a run's
log, not the log.

For every event it also asks whether its tables and columns are there, and turns it into JSON twice:
here a table that was found is not looked for again, and the last event's JSON is used again.

Storage other than Dagster's own SQLite is left as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage, sql_event_log
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

    # Found on the object before those of its class.
    own = {"_connect": connect, **_questions_asked_once(storage)}
    vars(storage).update(own)
    try:
        with _serialized_once():
            yield
    finally:
        for name in own:
            del vars(storage)[name]
        for engine in engines.values():
            engine.dispose()


def _questions_asked_once(storage: SqliteEventLogStorage) -> dict[str, Callable[..., bool]]:
    """What the storage asks its database for every event: what it once found is there to stay."""
    found: set[tuple[str, str]] = set()

    def once(question: str) -> Callable[..., bool]:
        ask: Callable[..., bool] = getattr(storage, question)

        def answer(*arguments: Any) -> bool:
            key = (question, arguments[-1])  # a table, or a column after the connection
            if key not in found and ask(*arguments):
                found.add(key)
            return key in found

        return answer

    questions = ("has_table", "_has_asset_key_col_on_connection")
    return {name: once(name) for name in questions if hasattr(storage, name)}


@contextmanager
def _serialized_once() -> Iterator[None]:
    """Turn an event into JSON once: it is stored in the run's log, in the index, with its check."""
    serialize: Callable[..., str] | None = getattr(sql_event_log, "serialize_value", None)
    if serialize is None:
        yield
        return
    last = threading.local()

    def serialize_once(value: Any, *arguments: Any, **options: Any) -> str:
        if arguments or options or type(value) is not dg.EventLogEntry:
            return serialize(value, *arguments, **options)
        # Events cannot be changed; the last one is kept alive here, so that no other is taken for
        # it.
        if getattr(last, "event", None) is not value:
            last.json = serialize(value)
            last.event = value
        return str(last.json)

    with patch.object(sql_event_log, "serialize_value", serialize_once):
        yield


def _engine(address: str) -> Engine:
    # The storage's own lock lets one thread in at a time, which SQLite cannot know.
    arguments = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(address, poolclass=QueuePool, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def _wait_for_the_disk_at_checkpoints(connection: Any, _: object) -> None:
        connection.execute("pragma synchronous = normal")

    return engine

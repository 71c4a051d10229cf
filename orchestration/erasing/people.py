"""All keys of a person, by the identity rules as the warehouse was built with them.

Everything here is keyed hashes: what the ids are in clear only the landing folder knows.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb

from orchestration.loading.pseudonyms import keyed_uuid
from orchestration.loading.tables import read_columns
from orchestration.tombstones import message

Range = tuple[datetime, datetime]

_NEEDED = (
    *(("intermediate", f"int_identity__{name}") for name in ("amplitude_roots", "amplitude_users")),
    *(("intermediate", f"int_identity__{name}") for name in ("anonymous", "devices", "emails")),
    ("intermediate", "int_learner_days_by_id"),
    ("intermediate", "int_emails_by_id"),
)


@dataclass
class Linked:
    """What belongs to a person.

    Attributes:
        keys: pseudonym keys of user ids, e-mails, devices, Amplitude ids, Zendesk users and
            respondents that are this person's alone.
        shared: keys of devices that others use too, with the times (UTC) that are the person's.
        tickets, calls: of the help desk, by their numbers.
        rows: how many rows of each raw table are about the person.
    """

    keys: set[uuid.UUID] = field(default_factory=set)
    shared: dict[uuid.UUID, list[Range]] = field(default_factory=dict)
    tickets: set[int] = field(default_factory=set)
    calls: set[int] = field(default_factory=set)
    rows: dict[str, int] = field(default_factory=dict)


def pseudonym(secret: bytes, kind: str, text: str) -> uuid.UUID | None:
    """The key that loading gives to an id; null for nothing."""
    told = message(kind, text)
    if told is None:
        return None
    whole = told.encode(errors="replace").decode()  # broken exports hold halves of characters
    return keyed_uuid(secret, whole.removeprefix("user:"))


def is_built(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the warehouse knows who is who."""
    return set(_NEEDED) <= set(read_columns(connection))


def link(
    connection: duckdb.DuckDBPyConnection, seeds: Iterable[str], secret: bytes, timezone: str
) -> Linked:
    """Find what is linked to user ids and e-mails.

    Args:
        connection: the warehouse; temporary tables are made.
        seeds: what was asked for; each is taken as a user id and as an e-mail.
        secret: the pseudonym key.
        timezone: of reporting days.
    """
    asked = [key for seed in seeds for key in _keys(secret, seed)]
    _table(connection, "asked", asked)
    connection.execute(
        """
        create or replace temp table their_users as
        select user_key from intermediate.int_identity__emails
        where email_key in (from asked) and user_key is not null
        union
        select user_key from raw.events where user_key in (from asked)
        union
        select user_key from raw.zendesk_users where user_key in (from asked)
        union
        select user_key from raw.survey_responses where user_key in (from asked)
        union
        select user_key from raw.satismeter_responses where user_key in (from asked)
        """
    )
    connection.execute(
        """
        create or replace temp table their_emails as
        select email_key from intermediate.int_identity__emails
        where user_key in (from their_users)
        union
        -- An address that is nobody's is a person of its own.
        select key from asked
        where key not in (
            select email_key from intermediate.int_identity__emails where user_key is not null
        ) and key not in (from their_users)
        """
    )
    connection.execute(
        """
        create or replace temp table their_amplitude as
        with roots as (
            select root_amplitude_key as key from intermediate.int_identity__amplitude_users
            where user_key in (from their_users)
            union
            select anonymous_key from intermediate.int_identity__anonymous
            where user_key in (from their_users)
        )
        select key from roots
        union
        select amplitude_key from intermediate.int_identity__amplitude_roots
        where root_amplitude_key in (from roots)
        """
    )
    # Whoever else signed in on a device: it is shared.
    connection.execute(
        """
        create or replace temp table their_devices as
        with days as (
            select device_key, user_key from intermediate.int_learner_days_by_id
            where device_key is not null and user_key is not null
            group by all
        )
        select device_key, not bool_and(user_key in (from their_users)) as is_shared
        from days
        group by device_key
        having bool_or(user_key in (from their_users))
        """
    )
    connection.execute(
        """
        create or replace temp table their_zendesk as
        select zendesk_user_key from raw.zendesk_users
        where user_key in (from their_users)
            or (user_key is null and email_key in (from their_emails))
        """
    )
    # Who a ticket belongs to now; it may have changed hands.
    connection.execute(
        """
        create or replace temp table their_tickets as
        with newest as (
            select ticket_id, arg_max(requester_key, (updated_at, row_hash)) as requester_key
            from raw.zendesk_tickets group by ticket_id
        )
        select ticket_id from newest where requester_key in (from their_zendesk)
        """
    )
    connection.execute(
        """
        create or replace temp table their_calls as
        select distinct call_id from raw.zendesk_calls
        where requester_key in (from their_zendesk) or ticket_id in (from their_tickets)
        """
    )
    connection.execute(
        """
        create or replace temp table their_respondents as
        with responses as (
            select respondent_key, user_key, email_key from raw.survey_responses
            union all
            select respondent_key, user_key, email_key from raw.satismeter_responses
        )
        select respondent_key from responses
        where respondent_key is not null
        group by respondent_key
        having bool_or(user_key in (from their_users)
                or (user_key is null and email_key in (from their_emails)))
            and not coalesce(bool_or(user_key not in (from their_users)), false)
        """
    )
    connection.execute(
        """
        create or replace temp table their_keys as
        select user_key as key from their_users union select email_key from their_emails
        union select key from their_amplitude
        union select device_key from their_devices where not is_shared
        union select zendesk_user_key from their_zendesk
        union select respondent_key from their_respondents
        """
    )
    found = Linked(
        keys={*_values(connection, "select key from their_keys where key is not null"), *asked},
        tickets=set(_values(connection, "from their_tickets")),
        calls=set(_values(connection, "from their_calls")),
    )
    for device, since, until in connection.execute(
        """
        select device_key,
            (greatest(valid_from, date '1970-01-01')::timestamp at time zone $1) at time zone 'UTC',
            ((valid_to + 1)::timestamp at time zone $1) at time zone 'UTC'
        from intermediate.int_identity__devices
        join their_devices using (device_key)
        where is_shared and user_key in (from their_users)
        """,
        [timezone],
    ).fetchall():
        found.shared.setdefault(device, []).append(
            (since.replace(tzinfo=UTC), until.replace(tzinfo=UTC))
        )
    found.rows = _count(connection)
    return found


def _keys(secret: bytes, seed: str) -> list[uuid.UUID]:
    return [key for kind in ("user", "email") if (key := pseudonym(secret, kind, seed))]


# How the rows of a raw table are found by what was linked: for the report.
_ROWS: Mapping[str, str] = {
    "raw.events": "user_key in (from their_users) or (user_key is null and "
    "(amplitude_key in (from their_keys) or device_key in (from their_keys) "
    "or email_key in (from their_keys)))",
    "raw.amplitude_merges": "amplitude_key in (from their_keys)",
    "raw.zendesk_users": "zendesk_user_key in (from their_zendesk)",
    "raw.zendesk_tickets": "requester_key in (from their_zendesk) "
    "or ticket_id in (from their_tickets)",
    "raw.zendesk_ticket_events": "ticket_id in (from their_tickets) "
    "or author_key in (from their_zendesk)",
    "raw.zendesk_satisfaction_ratings": "requester_key in (from their_zendesk) "
    "or ticket_id in (from their_tickets)",
    "raw.zendesk_calls": "call_id in (from their_calls)",
    "raw.zendesk_call_legs": "call_id in (from their_calls)",
    "raw.zendesk_metric_events": "ticket_id in (from their_tickets)",
    **dict.fromkeys(
        ("raw.survey_responses", "raw.satismeter_responses"),
        "user_key in (from their_users) or (user_key is null and "
        "(email_key in (from their_keys) or respondent_key in (from their_keys)))",
    ),
}


def _count(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    counts = {}
    for table, condition in _ROWS.items():
        row = connection.execute(f"select count(*) from {table} where {condition}").fetchone()
        if row and row[0]:
            counts[table] = int(row[0])
    return counts


def _table(connection: duckdb.DuckDBPyConnection, name: str, keys: Sequence[uuid.UUID]) -> None:
    connection.execute(
        f"create or replace temp table {name} as select unnest($1::uuid[]) as key",
        [[str(key) for key in keys]],
    )


def _values(connection: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    return [row[0] for row in connection.execute(query).fetchall()]

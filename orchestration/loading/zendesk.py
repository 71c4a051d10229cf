"""Reads Zendesk's incremental exports: API pages or one object a line.

No free text is loaded: neither subjects nor comments, names or addresses. Ids of people become
keyed hashes; of what changed in a ticket, values are kept only of fields that hold none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import duckdb

from orchestration.loading.batch import FileCounts, UnpackedFile
from orchestration.loading.collected import CollectingReader
from orchestration.loading.json_rows import (
    PARSED,
    ROWS,
    Shape,
    collect_rows,
    stage_json_rows,
)
from orchestration.loading.sql import literal, literals
from orchestration.loading.times import iso_time
from orchestration.loading.zones import iana_zone

# Fields of a ticket whose values are words or numbers of the help desk, never a person's text.
KEPT_FIELDS: Final = (
    "status",
    "priority",
    "type",
    "group_id",
    "brand_id",
    "ticket_form",
    "ticket_form_id",
    "organization_id",
    "schedule_id",
    "satisfaction_score",
)
# Fields whose values are people; their ids are kept as keyed hashes.
PEOPLE_FIELDS: Final = ("assignee_id", "requester_id", "submitter_id")
# What a child of a ticket event says besides the field that changed.
_CHILD_KEYS: Final = (
    "id",
    "type",
    "event_type",
    "via",
    "via_reference_id",
    "previous_value",
    "value",
    "field_name",
    "comment_present",
    "comment_public",
    "created_at",
    "audit_id",
    "author_id",
    "metadata",
    "body",
    "html_body",
    "plain_body",
    "public",
    "attachments",
    "added_tags",
    "removed_tags",
    "new_schedule_id",
    "previous_schedule_id",
)
# An update that puts a ticket under another schedule; Zendesk gives it a type of its own.
_SCHEDULED: Final = "ScheduleAssignment"
# Where a page of holidays, or the folder it lies in, says whose holidays they are.
_SCHEDULE_IN_URL: Final = re.compile(rb"business_hours\\?/schedules\\?/(\d{1,18})\\?/holidays")
_SCHEDULE_IN_PATH: Final = re.compile(r"(?:^|/)schedules?[/_-](\d{1,18})(?=[/_.-])")


@dataclass(frozen=True)
class _Resource:
    """How one resource is read.

    Attributes:
        table: the raw table.
        shape: of its pages.
        structure: the fields that are read, for `json_transform`.
        columns: columns of the raw table besides file_id, line_number, row_hash -> SQL over
            `field` (the struct of the fields).
        numbers, times: fields that must be whole numbers or times, if they are there.
        required: fields that must be there, and the columns that show it.
        newest: the column of the newest change.
    """

    table: str
    shape: Shape
    structure: Mapping[str, Any]
    columns: Mapping[str, str]
    numbers: tuple[str, ...]
    times: tuple[str, ...]
    required: Mapping[str, str]
    newest: str


def _number(text: str) -> str:
    whole = f"regexp_full_match({text}, '-?[0-9]{{1,19}}')"
    return f"case when {whole} then try_cast({text} as bigint) end"


def _person(text: str) -> str:
    """The keyed hash of a Zendesk user id; negative ids are the system, not a person."""
    return f"case when not starts_with({text}, '-') then zendesk_user_key({text}) end"


def _word(text: str) -> str:
    return f"nullif(lower(trim({text})), '')"


def _flag(text: str) -> str:
    return f"case lower({text}) when 'true' then true when 'false' then false end"


def _date(text: str) -> str:
    return (
        f"case when regexp_full_match({text}, '\\d{{4}}-\\d{{2}}-\\d{{2}}.*') "
        f"then try_cast(left({text}, 10) as date) end"
    )


def _target_seconds(value: str) -> str:
    """A target of a service level; older exports have it in minutes only."""
    minutes = _number(f"{value}.target")
    # So many minutes that their seconds are no bigint are no target.
    seconds = f"try_cast(60::hugeint * ({minutes}) as bigint)"
    return f"coalesce({_number(f'{value}.target_in_seconds')}, {seconds})"


def _status(text: str) -> str:
    word = _word(text)
    return f"case {word} when 'on-hold' then 'hold' when 'on_hold' then 'hold' else {word} end"


def _intervals(text: str) -> str:
    """Opening hours in minutes since Sunday, sorted; null if one lies outside of the week, ends
    before it starts or overlaps another: hours that are open twice would be counted twice.
    """
    ordered = f"list_sort(list_transform({text}, lambda one: [one.start_time, one.end_time]))"
    is_wrong = (
        "one[1] is null or one[2] is null or one[1] < 0 or one[2] > 10080 or one[1] >= one[2]"
    )
    follows = f"number = 1 or one[1] >= ({ordered})[number - 1][2]"
    return (
        f"case when len(list_filter({ordered}, lambda one: {is_wrong})) = 0 "
        f"and len(list_filter({ordered}, lambda one, number: {follows})) = len({text}) "
        f"then list_transform({ordered}, lambda one: "
        "struct_pack(start_minute := one[1]::integer, end_minute := one[2]::integer)) end"
    )


_CHANGED: Final = {
    "created_at": iso_time("field.created_at"),
    "updated_at": iso_time("field.updated_at"),
}
_TIMES: Final = ("created_at", "updated_at")

_RESOURCES: Final[Mapping[str, _Resource]] = {
    "tickets": _Resource(
        table="raw.zendesk_tickets",
        shape=Shape(("tickets",), ("id", "updated_at")),
        structure={
            **dict.fromkeys(
                ("id", *_TIMES, "status", "priority", "requester_id", "assignee_id"), "VARCHAR"
            ),
            "via": {"channel": "VARCHAR"},
            "satisfaction_rating": {"score": "VARCHAR"},
            "organization_id": "VARCHAR",
        },
        columns={
            "ticket_id": _number("field.id"),
            **_CHANGED,
            "status": _status("field.status"),
            "channel": _word("field.via.channel"),
            "priority": _word("field.priority"),
            "requester_key": _person("field.requester_id"),
            "assignee_key": _person("field.assignee_id"),
            "satisfaction": _word("field.satisfaction_rating.score"),
            "organization_id": _number("field.organization_id"),
        },
        numbers=("id",),
        times=_TIMES,
        required={"id": "ticket_id", "created_at": "created_at", "updated_at": "updated_at"},
        newest="updated_at",
    ),
    "users": _Resource(
        table="raw.zendesk_users",
        shape=Shape(("users",), ("id", "updated_at")),
        structure=dict.fromkeys(
            ("id", *_TIMES, "external_id", "email", "role", "locale"), "VARCHAR"
        ),
        columns={
            "zendesk_user_key": _person("field.id"),
            "user_key": "user_key(field.external_id)",
            "email_key": "email_key(field.email)",
            "role": _word("field.role"),
            # `fr-CA` is French; only what looks like a language is one.
            "language": "nullif("
            "regexp_extract(lower(field.locale), '^([a-z]{2,3})(-.*)?$', 1), '')",
            **_CHANGED,
        },
        numbers=("id",),
        times=_TIMES,
        required={"id": "zendesk_user_key", "updated_at": "updated_at"},
        newest="updated_at",
    ),
    "satisfaction_ratings": _Resource(
        table="raw.zendesk_satisfaction_ratings",
        shape=Shape(("satisfaction_ratings",), ("id", "updated_at")),
        structure=dict.fromkeys(("id", *_TIMES, "ticket_id", "score", "requester_id"), "VARCHAR"),
        columns={
            "rating_id": _number("field.id"),
            "ticket_id": _number("field.ticket_id"),
            "score": _word("field.score"),
            "requester_key": _person("field.requester_id"),
            **_CHANGED,
        },
        numbers=("id", "ticket_id"),
        times=_TIMES,
        required={"id": "rating_id", "created_at": "created_at", "updated_at": "updated_at"},
        newest="updated_at",
    ),
    "calls": _Resource(
        table="raw.zendesk_calls",
        shape=Shape(("calls",), ("id", "updated_at")),
        structure=dict.fromkeys(
            (
                "id",
                *_TIMES,
                "ticket_id",
                "direction",
                "completion_status",
                "customer_id",
                "wait_time",
                "talk_time",
            ),
            "VARCHAR",
        ),
        columns={
            "call_id": _number("field.id"),
            "ticket_id": _number("field.ticket_id"),
            "direction": _word("field.direction"),
            "completion_status": _word("field.completion_status"),
            "requester_key": _person("field.customer_id"),
            "wait_seconds": _number("field.wait_time"),
            "talk_seconds": _number("field.talk_time"),
            **_CHANGED,
        },
        numbers=("id", "ticket_id", "wait_time", "talk_time"),
        times=_TIMES,
        required={"id": "call_id", "created_at": "created_at", "updated_at": "updated_at"},
        newest="updated_at",
    ),
    "organizations": _Resource(
        table="raw.zendesk_organizations",
        shape=Shape(("organizations",), ("id", "updated_at")),
        structure=dict.fromkeys(("id", *_TIMES, "deleted_at"), "VARCHAR"),
        columns={
            "organization_id": _number("field.id"),
            "is_deleted": "field.deleted_at is not null",
            **_CHANGED,
        },
        numbers=("id",),
        times=_TIMES,
        required={"id": "organization_id", "updated_at": "updated_at"},
        newest="updated_at",
    ),
    "legs": _Resource(
        table="raw.zendesk_call_legs",
        shape=Shape(("legs",), ("id", "updated_at")),
        structure=dict.fromkeys(
            ("id", *_TIMES, "call_id", "type", "completion_status", "talk_time", "agent_id"),
            "VARCHAR",
        ),
        columns={
            "leg_id": _number("field.id"),
            "call_id": _number("field.call_id"),
            "leg_type": _word("field.type"),
            "completion_status": _word("field.completion_status"),
            "agent_key": _person("field.agent_id"),
            "talk_seconds": _number("field.talk_time"),
            **_CHANGED,
        },
        numbers=("id", "call_id", "talk_time"),
        times=_TIMES,
        required={
            "id": "leg_id",
            "call_id": "call_id",
            "created_at": "created_at",
            "updated_at": "updated_at",
        },
        newest="updated_at",
    ),
    "ticket_metric_events": _Resource(
        table="raw.zendesk_metric_events",
        shape=Shape(("ticket_metric_events",), ("id", "ticket_id")),
        structure={
            **dict.fromkeys(
                ("id", "ticket_id", "metric", "instance_id", "type", "time", "deleted"), "VARCHAR"
            ),
            "sla": {
                **dict.fromkeys(("target", "target_in_seconds", "business_hours"), "VARCHAR"),
                "policy": {"id": "VARCHAR"},
            },
        },
        columns={
            "metric_event_id": _number("field.id"),
            "ticket_id": _number("field.ticket_id"),
            "metric": _word("field.metric"),
            "instance": _number("field.instance_id"),
            "event_type": _word("field.type"),
            "happened_at": iso_time("field.time"),
            "is_deleted": f"coalesce({_flag('field.deleted')}, false)",
            "policy_id": _number("field.sla.policy.id"),
            "target_seconds": _target_seconds("field.sla"),
            "is_business_time": _flag("field.sla.business_hours"),
        },
        numbers=("id", "ticket_id", "instance_id"),
        times=("time",),
        required={
            "id": "metric_event_id",
            "ticket_id": "ticket_id",
            "metric": "metric",
            "instance_id": "instance",
            "type": "event_type",
            "time": "happened_at",
        },
        newest="happened_at",
    ),
    "sla_policies": _Resource(
        table="raw.zendesk_sla_policies",
        shape=Shape(("sla_policies",), ("id", "policy_metrics")),
        structure={
            **dict.fromkeys(("id", *_TIMES, "title", "position"), "VARCHAR"),
            "policy_metrics": [
                dict.fromkeys(
                    ("priority", "metric", "target", "target_in_seconds", "business_hours"),
                    "VARCHAR",
                )
            ],
        },
        columns={
            "policy_id": _number("field.id"),
            "title": "nullif(trim(left(field.title, 200)), '')",
            "targets": "list_transform(field.policy_metrics, lambda one: struct_pack("
            f"priority := {_word('one.priority')}, metric := {_word('one.metric')}, "
            f"target_seconds := {_target_seconds('one')}, "
            f"is_business_time := {_flag('one.business_hours')}))",
            **_CHANGED,
        },
        numbers=("id",),
        times=_TIMES,
        required={"id": "policy_id", "policy_metrics": "targets", "updated_at": "updated_at"},
        newest="updated_at",
    ),
    "schedules": _Resource(
        table="raw.zendesk_schedules",
        shape=Shape(("schedules",), ("id", "intervals")),
        structure={
            **dict.fromkeys(("id", *_TIMES, "time_zone"), "VARCHAR"),
            "intervals": [{"start_time": "BIGINT", "end_time": "BIGINT"}],
        },
        columns={
            "schedule_id": _number("field.id"),
            "time_zone": iana_zone("field.time_zone"),
            "intervals": _intervals("field.intervals"),
            **_CHANGED,
        },
        numbers=("id",),
        times=_TIMES,
        required={
            "id": "schedule_id",
            "time_zone": "time_zone",
            "intervals": "intervals",
            "created_at": "created_at",
            "updated_at": "updated_at",
        },
        newest="updated_at",
    ),
    "holidays": _Resource(
        table="raw.zendesk_holidays",
        shape=Shape(("holidays",), ("id", "start_date")),
        structure=dict.fromkeys(("id", "schedule_id", "start_date", "end_date"), "VARCHAR"),
        columns={
            "holiday_id": _number("field.id"),
            "schedule_id": _number("field.schedule_id"),
            "starts_on": _date("field.start_date"),
            "ends_on": _date("field.end_date"),
        },
        numbers=("id", "schedule_id"),
        times=(),
        required={"id": "holiday_id", "start_date": "starts_on", "end_date": "ends_on"},
        # The API tells no time of update of a holiday, and its own dates may lie ahead.
        newest="cast(null as timestamp)",
    ),
}

_EVENTS_TABLE: Final = "raw.zendesk_ticket_events"
_EVENT_SHAPES: Final = {
    "ticket_events": Shape(("ticket_events",), ("id", "ticket_id")),
    "ticket_audits": Shape(("audits", "ticket_audits"), ("id", "ticket_id")),
}

ZENDESK_TABLES: Final[Mapping[str, str]] = {
    **{f"zendesk_{name}": resource.table for name, resource in _RESOURCES.items()},
    **{f"zendesk_{name}": _EVENTS_TABLE for name in _EVENT_SHAPES},
}


def shape_of(source: str) -> Shape | None:
    """What rows of a source such as `zendesk_tickets` look like; null for another source."""
    name = source.removeprefix("zendesk_")
    resource = _RESOURCES.get(name)
    return _EVENT_SHAPES.get(name) if resource is None else resource.shape


class ZendeskReader(CollectingReader):
    """Reads the files of one resource, such as `zendesk_tickets`.

    Of ticket events and audits a row is an event in them; one without events is a row of the type
    `Audit`.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.tables = (ZENDESK_TABLES[source],)
        self._name = source.removeprefix("zendesk_")

    def _collect(
        self, connection: duckdb.DuckDBPyConnection, files: Sequence[UnpackedFile]
    ) -> Mapping[int, FileCounts]:
        resource = _RESOURCES.get(self._name)
        if resource is None:
            stage_json_rows(connection, files, _EVENT_SHAPES[self._name])
            connection.execute(_EVENT_ROWS)
            return collect_rows(connection, files, _EVENT_COLUMNS, "created_at", self.source)
        stage_json_rows(connection, files, resource.shape)
        if self._name == "holidays":
            resource = _of_schedules(resource, files)
        connection.execute(_rows(resource))
        return collect_rows(
            connection, files, tuple(resource.columns), resource.newest, self.source
        )


def _of_schedules(resource: _Resource, files: Sequence[UnpackedFile]) -> _Resource:
    """Holidays name their schedule only in the address of the page; a folder may say it too."""
    known = {
        file.file_id: schedule for file in files if (schedule := _schedule_of(file)) is not None
    }
    said = resource.columns["schedule_id"]
    if known:
        cases = " ".join(f"when {file_id} then {number}" for file_id, number in known.items())
        said = f"coalesce({said}, case file_id {cases} end)"
    return replace(
        resource,
        columns={**resource.columns, "schedule_id": said},
        required={
            **resource.required,
            "schedule_id (keep the page's url, or put the file in a folder schedules/<id>/)": (
                "schedule_id"
            ),
        },
    )


def _schedule_of(file: UnpackedFile) -> int | None:
    found = {int(number) for number in _SCHEDULE_IN_URL.findall(file.text.read_bytes())}
    if len(found) == 1:
        return found.pop()
    named = _SCHEDULE_IN_PATH.search(file.path)
    return None if named is None else int(named[1])


def _rows(resource: _Resource) -> str:
    """The temporary table `PARSED`: the columns of the raw table, `line` and `problem`."""
    structure = literal(json.dumps(resource.structure))
    columns = ", ".join(f"{sql} as {name}" for name, sql in resource.columns.items())
    checks = [
        *(
            f"when field.{name} is null then {literal(f'{name} is missing')}"
            for name in resource.required
            if name in resource.structure
        ),
        *(
            f"when field.{name} is not null and ({_number(f'field.{name}')}) is null "
            f"then {literal(f'{name} is not a whole number')}"
            for name in resource.numbers
        ),
        *(
            f"when field.{name} is not null and ({iso_time(f'field.{name}')}) is null "
            f"then {literal(f'{name} is not a time such as 2026-01-31T12:00:00Z')}"
            for name in resource.times
        ),
        *(
            f"when {column} is null then {literal(f'{name} cannot be used')}"
            for name, column in resource.required.items()
        ),
    ]
    return f"""
        create or replace temp table {PARSED} as
        with read as (
            select *, json_transform(object, {structure}) as field from {ROWS}
        ),
        parsed as (
            select *, keyed_uuid('row:' || object) as row_hash, {columns} from read
        )
        select * exclude (field, line, object, problem),
            line,
            case when problem is not null then problem {" ".join(checks)} end as problem
        from parsed
    """


_EVENT_COLUMNS: Final = (
    "audit_id",
    "ticket_id",
    "position",
    "created_at",
    "event_type",
    "field_name",
    "previous_value",
    "value",
    "author_key",
    "is_public",
)
_AUDIT_STRUCTURE: Final = json.dumps(
    dict.fromkeys(
        ("id", "ticket_id", "created_at", "timestamp", "author_id", "updater_id"), "VARCHAR"
    )
)
_CHILD_STRUCTURE: Final = json.dumps(
    dict.fromkeys(
        (
            "event_type",
            "field_name",
            "value",
            "previous_value",
            "author_id",
            "public",
            "comment_public",
            "new_schedule_id",
            "previous_schedule_id",
            *KEPT_FIELDS,  # `type` is one of them
            *PEOPLE_FIELDS,
        ),
        "VARCHAR",
    )
)


def _kept_value(text: str) -> str:
    """The value of a field, if it holds no free text: an id of a person only as a keyed hash."""
    return (
        f"case when field_name in ({literals(PEOPLE_FIELDS)}) then ({_person(text)})::varchar "
        f"when field_name = 'status' then {_status(text)} "
        f"when field_name in ({literals(KEPT_FIELDS)}) then {text} end"
    )


# An audit has the value beside the field's name; a ticket event has it under the field's name.
_VALUE: Final = (
    f"case when event_type = '{_SCHEDULED}' then field.new_schedule_id "
    "when field.field_name is not null then field.value else case field_name "
    + " ".join(f"when '{name}' then field.{name}" for name in (*KEPT_FIELDS, *PEOPLE_FIELDS))
    + " end end"
)
_PREVIOUS_VALUE: Final = (
    f"case when event_type = '{_SCHEDULED}' then field.previous_schedule_id "
    "else field.previous_value end"
)
_SECONDS: Final = _number("field.timestamp")
_EVENT_ROWS: Final = f"""
    create or replace temp table {PARSED} as
    with audits as (
        select
            *,
            json_transform(object, '{_AUDIT_STRUCTURE}') as field,
            case
                when json_type(object, '$.child_events') is not null
                    then json_extract(object, '$.child_events')
                else json_extract(object, '$.events')
            end as children
        from {ROWS}
    ),
    parsed as (
        select
            file_id, line_number, line, object, children,
            {_number("field.id")} as audit_id,
            {_number("field.ticket_id")} as ticket_id,
            coalesce(
                {iso_time("field.created_at")},
                case when {_SECONDS} between 0 and 7258118399
                    then make_timestamp({_SECONDS} * 1000000) end
            ) as created_at,
            coalesce(field.updater_id, field.author_id) as updater_id,
            case
                when problem is not null then problem
                when field.id is null then 'id is missing'
                when field.ticket_id is null then 'ticket_id is missing'
                when field.created_at is null and field.timestamp is null
                    then 'created_at is missing'
                when json_type(children) not in ('ARRAY', 'NULL') then 'its events are not a list'
            end as audit_problem
        from audits
    ),
    judged as (
        select * replace (
            case
                when audit_problem is not null then audit_problem
                when audit_id is null then 'id is not a whole number'
                when ticket_id is null then 'ticket_id is not a whole number'
                when created_at is null
                    then 'created_at is not a time such as 2026-01-31T12:00:00Z'
            end as audit_problem
        ),
        case when json_type(children) = 'ARRAY' then json_extract(children, '$[*]') end as listed
        from parsed
    ),
    events as (
        select * exclude (listed), unnest(listed) as event,
            generate_subscripts(listed, 1) as position
        from judged
        where audit_problem is null and len(listed) > 0
        union all
        select * exclude (listed), null, 0
        from judged
        where audit_problem is not null or coalesce(len(listed), 0) = 0
    ),
    typed as (
        select
            * exclude (position),
            position::integer as position,
            json_transform(
                case when json_type(event) = 'OBJECT' then event end, '{_CHILD_STRUCTURE}'
            ) as field,
            case when json_type(event) = 'OBJECT' then list_filter(
                json_keys(event), lambda name: name not in ({literals(_CHILD_KEYS)})
            ) end as other_keys
        from events
    ),
    named as (
        select
            *,
            case when position = 0 then 'Audit'
                else coalesce(nullif(trim(field.event_type), ''), nullif(trim(field.type), ''))
            end as event_type,
            case when coalesce(field.event_type, field.type) = '{_SCHEDULED}' then 'schedule_id'
            when coalesce(field.event_type, field.type) in ('Create', 'Change') then coalesce(
                field.field_name,
                list_filter(
                    other_keys, lambda name: name in ({literals((*KEPT_FIELDS, *PEOPLE_FIELDS))})
                )[1],
                case when field.event_type is not null and json_type(event, '$.type') is not null
                    then 'type' end,
                other_keys[1]
            ) end as field_name
        from typed
    )
    select
        file_id,
        line_number,
        keyed_uuid('row:' || concat_ws(':', audit_id, position) || ':' || coalesce(event, object))
            as row_hash,
        audit_id,
        ticket_id,
        position,
        created_at,
        event_type,
        field_name,
        {_kept_value(_PREVIOUS_VALUE)} as previous_value,
        {_kept_value(_VALUE)} as value,
        {_person("coalesce(field.author_id, updater_id)")} as author_key,
        case lower(coalesce(field.public, field.comment_public))
            when 'true' then true when 'false' then false end as is_public,
        line,
        case
            when audit_problem is not null then audit_problem
            when position > 0 and json_type(event) <> 'OBJECT'
                then 'event ' || position || ' is not a JSON object'
            when event_type is null then 'event ' || position || ' has no type'
        end as problem
    from named
"""

"""An invented school with years of history, in the time it takes to write it.

The history goes straight into `raw.events`, with its rows of the ledger and empty files in the
landing folder that have the size and time which the ledger names: a run finds every file as it was.
New days are real exports: a zip of hourly files, as Amplitude writes it. Both come from the same
statement, so that learners of the history come back.

All chance is DuckDB's hash of a row's numbers: the same school on every machine. A learner-day has
20 events on average, a twentieth of the learner-days are somebody's first and another one a
visitor's without an account; most of the others are those of people who came lately. The other
sources are those of the demo.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration.contracts import read_contracts
from orchestration.demo import write_demo
from orchestration.loading import connect, pseudonyms
from orchestration.loading.ledger import LOADED, Entry
from orchestration.settings import REPOSITORY, Settings

SECRET = "the secret of the benchmark"
PROJECT = 100042  # of the demo's tracking plan
FIRST_NEW_DAY = date(2026, 7, 1)
EVENTS_OF_A_LEARNER_DAY = 20

_HOURS = 24
_STUB = b"in place of an export whose rows were generated"
_CHUNK_EVENTS = 2_000_000
_DEMO_SOURCES = ("zendesk", "surveys", "satismeter")

# Relation: the events of the days from `first` up to `last`, counted from the first of all.
_EVENTS = """
with
    visits as (
        select
            day,
            slot,
            case
                when slot < {newcomers} then 'newcomer'
                when slot < 2 * {newcomers} then 'visitor'
                else 'learner'
            end as kind,
            (hash(day, slot, 'length') % 1000003 + 1) / 1000004 as length
        from range({first}, {last}) as days (day), range({slots}) as slots (slot)
    ),
    known as (
        select
            *,
            cast(
                case
                    when kind = 'newcomer' then day * {newcomers} + slot
                    when kind = 'visitor' then day * {newcomers} + slot - {newcomers}
                    when slot % 10 < 3 then (slot * 7919 + hash(day)) % ((day + 1) * {newcomers})
                    else (day + 1) * {newcomers} - 1
                        - (slot * 7919 + hash(day)) % least({recent}, (day + 1) * {newcomers})
                end as bigint
            ) as person
        from visits
    ),
    counted as (
        select *, unnest(range(cast(1 + floor(-19.5 * ln(length)) as bigint))) as number
        from known
    ),
    drawn as (
        select *, hash(day, slot, number, 'type') % 1000 as chance from counted
    )
select
    day,
    kind,
    person,
    concat_ws('-', day, slot, number) as name,
    case
        when kind = 'visitor' then 'page_viewed'
        when kind = 'newcomer' and number < 2 then 'page_viewed'
        when kind = 'newcomer' and number = 2 then 'signed_up'
        when kind = 'newcomer' and number = 3 then 'course_enrolled'
        when kind = 'newcomer' and number = 4 then 'course_started'
        when chance < 2 then 'course_completed'
        when chance < 4 then 'plan_started'
        when chance < 6 then 'plan_ended'
        when chance < 650 then 'lesson_completed'
        else 'page_viewed'
    end as event_type,
    -- Before they sign up, newcomers have no account.
    kind = 'visitor' or (kind = 'newcomer' and number < 2) as is_anonymous,
    timestamp '{begin}' + to_days(cast(day as integer)) + to_seconds(
        cast(least(86390, hash(day, slot, 'hour') % 72000 + 7200 + number * 30) as double)
    ) as event_at
from drawn
"""

_PEOPLE = """
create or replace table people as
select
    kind,
    person,
    case when kind = 'learner' then 'learner-' || person end as user_id,
    kind || '-device-' || person as device_id,
    cast(case when kind = 'learner' then 100000000000 else 200000000000 end + person as varchar)
        as amplitude_id,
    case when kind = 'learner' then 'learner-' || person || '@example.org' end as email,
    ['fr', 'en', 'es'][person % 3 + 1] as spoken_language,
    ['search', 'partner', 'social', 'newsletter'][person % 4 + 1] as channel,
    ['France', 'Chad', 'Peru', 'Canada', 'Senegal'][person % 5 + 1] as country,
    case when kind = 'learner' and person % 10 < 3
        then ['woman', 'man'][person % 2 + 1] end as gender
from range({people}) as people (person), (values ('learner'), ('visitor')) as kinds (kind)
"""

# The people and courses of events, as roles of the tracking plan.
_TOLD = """
    select
        events.*,
        'course-' || (events.person % 40) as course_id,
        case
            when events.event_type = 'plan_started' then 'SPARK'
            when events.event_type = 'plan_ended' then 'SPARK'
            else 'free'
        end as plan,
        case when not events.is_anonymous then people.user_id end as user_id,
        people.* exclude (kind, person, user_id),
        events.event_at + interval 7 seconds as uploaded_at
    from ({events}) as events
    inner join people
        on case when events.kind = 'visitor' then 'visitor' else 'learner' end = people.kind
        and events.person = people.person
"""


@dataclass(frozen=True)
class School:
    """How large a school is.

    Attributes:
        events: of the history, about.
        day: events of a day, about.
    """

    events: int
    day: int

    @property
    def days(self) -> int:
        """How many days of history there are."""
        return max(self.events // self.day, 1)

    @property
    def begin(self) -> date:
        """The first of them."""
        return FIRST_NEW_DAY - timedelta(days=self.days)

    def events_sql(self, first: int, last: int) -> str:
        """The events of some days, with what is told about their people."""
        slots = max(self.day // EVENTS_OF_A_LEARNER_DAY, 1)
        newcomers = max(slots // 20, 1)
        events = _EVENTS.format(
            first=first,
            last=last,
            slots=slots,
            newcomers=newcomers,
            recent=60 * newcomers,
            begin=self.begin,
        )
        return _TOLD.format(events=events)

    def people_sql(self, days: int) -> str:
        """Everybody who comes within some days."""
        newcomers = max(self.day // EVENTS_OF_A_LEARNER_DAY // 20, 1)
        return _PEOPLE.format(people=days * newcomers)


def settings_of(folder: Path, sources: Path | None = None) -> Settings:
    """The settings of a school in a folder."""
    return Settings(data_dir=folder, sources_dir=sources or REPOSITORY / "data" / "sources")


def write_history(settings: Settings, school: School) -> None:
    """Write the history into an empty folder: events, ledger, landing files, other sources."""
    shutil.rmtree(settings.data, ignore_errors=True)
    _write_other_sources(settings)
    contracts = read_contracts(settings.sources)
    plan = contracts.tracking_plan_for(str(PROJECT))
    if plan is None:
        raise SystemExit(f"{settings.sources} holds no tracking plan for project {PROJECT}")
    entries = list(_write_stubs(settings.landing / "amplitude", school, plan.fingerprint))
    with connect(settings) as connection:
        pseudonyms.install(connection, SECRET.encode())
        connection.execute(
            school.people_sql(school.days).replace("replace table", "replace temp table")
        )
        connection.execute(
            """
            create temp table keyed as
            select
                kind,
                person,
                user_key(user_id) as user_key,
                device_key(device_id) as device_key,
                amplitude_key(amplitude_id) as amplitude_key,
                email_key(email) as email_key
            from people
            """
        )
        connection.execute("create temp table hours (day bigint, hour bigint, file_id bigint)")
        rows = [
            {"day": number // _HOURS, "hour": number % _HOURS, "file_id": entry.file_id}
            for number, entry in enumerate(entries)
        ]
        connection.execute(
            "insert into hours select unnest(from_json($1, "
            """'[{"day": "BIGINT", "hour": "BIGINT", "file_id": "BIGINT"}]'), recursive := true)""",
            [json.dumps(rows)],
        )
        step = max(_CHUNK_EVENTS // school.day, 1)
        for first in range(0, school.days, step):
            _insert_events(connection, school, first, min(first + step, school.days))
            print(f"  {min(first + step, school.days):,} of {school.days:,} days", flush=True)
        _insert_ledger(connection, entries)
        # As loading says it; reporting days begin at most a day before those of UTC.
        connection.execute(
            "insert into raw.touched_days select unnest(range($1::date - 1, $2::date + 1, "
            "interval 1 day))::date, 1",
            [school.begin, FIRST_NEW_DAY],
        )
        connection.execute("checkpoint")


def _insert_events(
    connection: duckdb.DuckDBPyConnection, school: School, first: int, last: int
) -> None:
    connection.execute(
        f"""
        insert into raw.events by name
        select
            hours.file_id,
            cast(md5(told.name) as uuid) as event_id,
            '{PROJECT}' as app,
            told.event_type,
            told.event_at,
            told.uploaded_at as server_uploaded_at,
            case when not told.is_anonymous then keyed.user_key end as user_key,
            keyed.device_key,
            keyed.amplitude_key,
            case when not told.is_anonymous then keyed.email_key end as email_key,
            epoch_ms(told.event_at) // 3600000 as session_id,
            'Web' as platform,
            told.country,
            told.course_id,
            told.plan,
            told.spoken_language,
            told.channel,
            case when not told.is_anonymous then told.gender end as gender,
            false as is_excluded,
            hash(told.name) as insert_key
        from ({school.events_sql(first, last)}) as told
        inner join keyed
            on case when told.kind = 'visitor' then 'visitor' else 'learner' end = keyed.kind
            and told.person = keyed.person
        inner join hours
            on told.day = hours.day and hour(told.uploaded_at) = hours.hour
        order by told.uploaded_at
        """
    )


def _insert_ledger(connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry]) -> None:
    rows = [
        {
            "file_id": entry.file_id,
            "path": entry.path,
            "landed_path": entry.landed_path,
            "size": entry.size,
            "modified_ns": entry.modified_ns,
            "content_hash": entry.content_hash,
            "contract_hash": entry.contract_hash,
            "exported_hour": str(entry.exported_hour),
        }
        for entry in entries
    ]
    structure = {
        name: "VARCHAR" if isinstance(value, str) else "BIGINT" for name, value in rows[0].items()
    }
    connection.execute(
        f"""
        insert into raw.loaded_files by name
        with
            told as (select unnest(from_json($1, $2), recursive := true)),
            counted as (
                select file_id, count(*) as events, max(server_uploaded_at) as newest_at
                from raw.events
                group by file_id
            )
        select
            told.file_id,
            told.path,
            told.landed_path,
            'amplitude_events' as source,
            '{LOADED}' as status,
            told.size,
            told.size as stored_size,
            told.modified_ns,
            told.content_hash as landed_hash,
            told.content_hash,
            told.contract_hash,
            cast(told.exported_hour as timestamp) as exported_hour,
            coalesce(counted.events, 0) as rows_in,
            coalesce(counted.events, 0) as loaded,
            0 as duplicates,
            0 as quarantined,
            0 as not_in_plan,
            0 as erased,
            counted.newest_at,
            'benchmark' as loaded_by
        from told
        left join counted using (file_id)
        """,
        [json.dumps(rows), json.dumps([structure])],
    )


def _write_stubs(folder: Path, school: School, contract_hash: str) -> Iterator[Entry]:
    """A zip a day, whose content nobody looks at; the entries of its hours."""
    folder.mkdir(parents=True)
    for number in range(school.days):
        day = school.begin + timedelta(days=number)
        path = folder / f"{day}.zip"
        path.write_bytes(_STUB)
        modified_ns = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 10**9
        os.utime(path, ns=(modified_ns, modified_ns))
        for hour in range(_HOURS):
            member = f"{PROJECT}/{PROJECT}_{day}_{hour}#{hour}.json.gz"
            yield Entry(
                path=f"amplitude/{path.name}::{member}",
                landed_path=f"amplitude/{path.name}",
                source="amplitude_events",
                status=LOADED,
                reason=None,
                size=len(_STUB),
                stored_size=len(_STUB),
                modified_ns=modified_ns,
                landed_hash=f"generated {day}",
                content_hash=f"generated {day} {hour}",
                contract_hash=contract_hash,
                exported_hour=datetime(day.year, day.month, day.day, hour),
            )


def _write_other_sources(settings: Settings) -> None:
    """Tickets, surveys and the like: those of the demo, as exports of one's own."""
    demo = settings.data / "demo"
    write_demo(demo)
    settings.landing.mkdir(parents=True)
    for source in _DEMO_SOURCES:
        (demo / source).rename(settings.landing / source)
    shutil.rmtree(demo)


def write_day(settings: Settings, school: School, number: int, late: int = 0) -> None:
    """Land the export of a day after the history.

    Args:
        settings: of the school.
        school: its size.
        number: of the new day, from 0.
        late: a tenth of the day's events happened on so many different days of the history, and
            are uploaded only now.
    """
    day = FIRST_NEW_DAY + timedelta(days=number)
    ordinal = school.days + number
    scratch = settings.data / "exporting"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    happened = "told.event_at"
    if late:
        happened = (
            # Other bits of the hash than those that chose the event.
            f"case when hash(told.name, 'late') % 10 = 0 then told.event_at - to_days(cast("
            f"{ordinal} - ((hash(told.name, 'when') >> 20) % {late}) * {school.days} // {late} "
            "as integer)) else told.event_at end"
        )
    with duckdb.connect() as connection:
        connection.execute(school.people_sql(ordinal + 1))
        connection.execute(
            f"""
            create table lines as
            select
                hour(told.uploaded_at) as hour,
                {{
                    '$insert_id': md5('insert' || told.name),
                    'amplitude_id': cast(told.amplitude_id as bigint),
                    'app': {PROJECT},
                    'city': 'Paris',
                    'client_event_time': strftime({happened}, '%Y-%m-%d %H:%M:%S.%f'),
                    'country': told.country,
                    'device_family': 'Linux',
                    'device_id': told.device_id,
                    'event_id': 1,
                    'event_properties': {{
                        'course_id': told.course_id, 'plan': told.plan,
                        'page': '/courses/introduction/chapters/one',
                        'referrer': 'https://example.org/some/path/to/a/page'
                    }},
                    'event_time': strftime({happened}, '%Y-%m-%d %H:%M:%S.%f'),
                    'event_type': told.event_type,
                    'ip_address': '203.0.113.7',
                    'language': 'French',
                    'library': 'amplitude-ts/2.11.1',
                    'os_name': 'Chrome',
                    'platform': 'Web',
                    'server_upload_time': strftime(told.uploaded_at, '%Y-%m-%d %H:%M:%S.%f'),
                    'session_id': epoch_ms({happened}),
                    'user_id': told.user_id,
                    'user_properties': {{
                        'email': case when not told.is_anonymous then told.email end,
                        'gender': case when not told.is_anonymous then told.gender end,
                        'initial_channel': told.channel,
                        'spoken_language': told.spoken_language
                    }},
                    'uuid': cast(cast(md5(told.name) as uuid) as varchar)
                }} as line
            from ({school.events_sql(ordinal, ordinal + 1)}) as told
            """
        )
        draft = settings.landing / "amplitude" / f"{day}.zip.part"
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
            for hour in range(_HOURS):
                name = f"{PROJECT}_{day}_{hour}#{hour}.json.gz"
                connection.execute(
                    f"copy (select unnest(line) from lines where hour = {hour}) "
                    f"to '{scratch / name}' (format json, compression gzip)"
                )
                archive.write(scratch / name, f"{PROJECT}/{name}")
    draft.rename(draft.with_suffix(""))
    shutil.rmtree(scratch)


def write_merges(settings: Settings, school: School, number: int, people: int) -> None:
    """Land a merge file: so many visitors of the history turn out to be learners of it."""
    newcomers = max(school.day // EVENTS_OF_A_LEARNER_DAY // 20, 1)
    everybody = school.days * newcomers
    day = FIRST_NEW_DAY + timedelta(days=number)
    merged_ms = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()) * 1000
    step = max(everybody // people, 1)
    lines = [
        json.dumps(
            {
                "amplitude_id": 200000000000 + visitor,
                "merged_amplitude_id": 100000000000 + (visitor * 7 + number) % everybody,
                "merge_server_time": merged_ms,
            }
        )
        for visitor in range(number % step, everybody, step)
    ][:people]
    name = f"-{PROJECT}_{day}_12.json"
    (settings.landing / "amplitude" / name).write_text("\n".join(lines) + "\n")

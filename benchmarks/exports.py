"""Event exports for benchmarks: the shape and width of Amplitude's, about 1.4 kB a line.

DuckDB writes them, so that 50 million take minutes. All chance is its hash of a row's number: the
exports are the same on every machine.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from orchestration.loading.amplitude import STANDARD_COLUMNS

PLAN = """
kind: tracking_plan
name: Benchmark
projects: ["1"]
plans: {free: free, spark: SPARK}
roles:
  course_id: [event.course_id]
  plan: [user.plan]
  spoken_language: [user.language]
  channel: [user.initial_utm_source]
  email: [user.email]
  country: [column.country]
events:
  lesson_completed: {meanings: [learning]}
  page_viewed: {meanings: [visit]}
  login: {meanings: [login]}
"""
# A learner has about 25 events, on one device.
_EVENTS_OF_A_LEARNER = 25
_COLUMNS = {
    "$insert_id": "md5(concat('insert', number))::uuid",
    "amplitude_id": "100000000000 + learner",
    "app": "1",
    "client_event_time": "happened_at",
    "country": "'France'",
    "device_id": "md5(concat('device', learner))::uuid",
    "event_properties": """{
        'course_id': concat('course-', learner % 50),
        'lesson_id': concat('lesson-', hash(number, 'lesson') % 500),
        'page': '/courses/introduction/chapters/one',
        'referrer': 'https://example.org/some/path/to/a/page'
    }""",
    "event_time": "happened_at",
    "event_type": """
        ['lesson_completed', 'page_viewed', 'login'][1 + (hash(number, 'type') % 3)::bigint]
    """,
    "ip_address": "'203.0.113.7'",
    "library": "'amplitude-ts/2.11.1'",
    "server_upload_time": "happened_at",
    "session_id": "1704067200000 + learner",
    "user_id": "case when hash(number, 'known') % 5 > 0 then concat('learner-', learner) end",
    "user_properties": """{
        'email': concat('learner-', learner, '@example.org'),
        'initial_utm_source': 'newsletter',
        'language': 'fr',
        'plan': 'free'
    }""",
    "uuid": "md5(concat('event', number))::uuid",
}


def _name(number: int) -> str:
    at = datetime(2022, 1, 1) + timedelta(hours=number)
    return f"1_{at:%Y-%m-%d}_{at.hour}#0.json.gz"


def write_exports(folder: Path, events: int, files: int) -> None:
    """Write hourly files of together `events` events, `*.json.gz`, into a new folder."""
    folder.mkdir(parents=True)
    names = sorted((STANDARD_COLUMNS - {"data_type"}) | _COLUMNS.keys())
    columns = ", ".join(f'{_COLUMNS.get(name, "null")} as "{name}"' for name in names)
    learners = max(events // _EVENTS_OF_A_LEARNER, 1)
    each = events // files
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")

        def write(file: int) -> None:
            at = f"timestamp '2022-01-01' + interval {file} hour"
            with connection.cursor() as cursor:
                cursor.execute(
                    f"""
                    copy (
                        with numbers as (
                            select number, hash(number, 'learner') % {learners} as learner,
                                strftime({at} + to_seconds((hash(number, 'second') % 3600)::bigint),
                                    '%Y-%m-%d %H:%M:%S.123000') as happened_at
                            from range({file * each}, {(file + 1) * each}) as numbers (number)
                        )
                        select {columns} from numbers
                    ) to '{folder}/{_name(file)}' (format json, compression gzip)
                    """
                )

        # A file is packed by one thread.
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            list(threads.map(write, range(files)))

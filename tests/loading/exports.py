"""Writes small Amplitude exports for tests."""

from __future__ import annotations

import gzip
import json
import uuid
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PROJECT = "4242"

TRACKING_PLAN = f"""
kind: tracking_plan
name: Test school
projects: ["{PROJECT}"]
plans: {{free: free, spark: SPARK}}
roles:
  course_id: [event.course_id]
  plan: [user.plan]
  email: [user.email]
  outcome_type: [event.outcome_type]
  outcome_date: [event.outcome_date]
  credited: [event.credited]
  gender: [event.gender, user.gender]
  region: [column.region]
exclude:
  - {{property: user.is_bot, equals: ["true"]}}
events:
  lesson_completed: {{meanings: [learning, lesson_completed], keep: [lesson_id]}}
  signed_up: {{meanings: [signup]}}
  outcome_reported: {{meanings: [outcome_reported]}}
"""


def event(number: int, **changes: Any) -> dict[str, Any]:
    """An event; `number` makes uuid, `$insert_id` and the minute."""
    at = f"2024-01-01 13:{number % 60:02d}:00.000000"
    row = {
        "$insert_id": f"insert-{number}",
        "amplitude_id": 1000 + number % 7,
        "app": int(PROJECT),
        "device_id": f"device-{number % 5}",
        "event_properties": {"course_id": "c1", "lesson_id": f"l{number}"},
        "event_time": at,
        "event_type": "lesson_completed",
        "server_upload_time": at,
        "session_id": -1,
        "user_id": f"learner-{number % 7}",
        "user_properties": {"plan": "spark", "email": f"Learner{number % 7}@example.org "},
        "uuid": str(uuid.UUID(int=number + 1)),
        "country": "France",
        "platform": "Web",
    }
    return row | changes


def lines(rows: Iterable[Mapping[str, Any] | str]) -> bytes:
    """JSON lines; a string stands for a line as it is."""
    return b"".join(
        (row if isinstance(row, str) else json.dumps(row)).encode() + b"\n" for row in rows
    )


def hour_name(hour: int, day: int = 1) -> str:
    return f"{PROJECT}_2024-01-{day:02d}_{hour}#0.json.gz"


def write_hour(
    folder: Path, rows: Iterable[Mapping[str, Any] | str], *, hour: int = 13, day: int = 1
) -> Path:
    """Write an hour's file on its own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / hour_name(hour, day)
    path.write_bytes(gzip.compress(lines(rows), mtime=0))
    return path


def write_zip(path: Path, hours: Mapping[int, Iterable[Mapping[str, Any] | str]]) -> Path:
    """Write an export's zip with one member an hour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for hour, rows in hours.items():
            content = gzip.compress(lines(rows), mtime=0)
            archive.writestr(f"{PROJECT}/{hour_name(hour)}", content)
    return path

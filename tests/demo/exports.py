"""Reads a demo's files as an outsider would: by the vendors' formats alone."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.demo import Truth

LEARNERS, MONTHS, SEED = 400, 15, 7
PARIS = ZoneInfo("Europe/Paris")
_EVENTS = re.compile(r"(\d+)/\1_(\d{4}-\d{2}-\d{2})_(\d{1,2})#(\d+)\.json\.gz")
_MERGES = re.compile(r"(\d+)/-(\d+)_(\d{4}-\d{2}-\d{2})_(\d{1,2})\.json\.gz")


@dataclass(frozen=True)
class Demo:
    """A demo on disk, and what is said to be true of it."""

    landing: Path
    truth: Truth


@dataclass
class EventFiles:
    """The lines of all event and merge files, by the name of the (member) file."""

    events: dict[str, list[str]] = field(default_factory=dict)
    merges: dict[str, list[str]] = field(default_factory=dict)


def read_amplitude(landing: Path) -> EventFiles:
    """All hourly files, from zips and on their own. A name that Amplitude does not give fails."""
    found = EventFiles()
    for path in sorted((landing / "amplitude").rglob("*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    _take(found, name, archive.read(name))
        elif path.is_file():
            name = path.relative_to(landing / "amplitude").as_posix()
            _take(found, name, path.read_bytes())
    return found


def _take(found: EventFiles, name: str, content: bytes) -> None:
    kind = found.events if _EVENTS.fullmatch(name) else found.merges
    assert kind is found.events or _MERGES.fullmatch(name), name
    assert name not in kind
    text = gzip.decompress(content).decode()
    assert text.endswith("\n")
    kind[name] = text.removesuffix("\n").split("\n")


def hour_of(name: str) -> str:
    """`YYYY-MM-DD HH` of an event file's name."""
    match = _EVENTS.fullmatch(name)
    assert match is not None
    return f"{match[2]} {int(match[3]):02}"


@dataclass
class Events:
    """Event rows sorted out by the rules of definitions.md, section 6."""

    kept: list[dict[str, Any]] = field(default_factory=list)
    broken: int = 0
    not_in_plan: int = 0
    same_uuid: int = 0
    client_retry: int = 0


def sort_out(lines: Iterator[str] | list[str], planned: set[str]) -> Events:
    """Take away broken lines, unknown types, rows that were read again and clients' retries."""
    found = Events()
    rows: dict[str, dict[str, Any]] = {}
    for line in lines:
        row = _parse(line)
        if row is None:
            found.broken += 1
        elif row["event_type"] not in planned:
            found.not_in_plan += 1
        elif row["uuid"] in rows:
            assert rows[row["uuid"]] == row
            found.same_uuid += 1
        else:
            rows[row["uuid"]] = row
    last_kept: dict[tuple[Any, ...], datetime] = {}
    for row in sorted(rows.values(), key=lambda row: (row["server_upload_time"], row["uuid"])):
        key = (row["app"], row["device_id"], row["$insert_id"])
        uploaded = instant(row["server_upload_time"])
        if key in last_kept and uploaded - last_kept[key] < timedelta(days=7):
            found.client_retry += 1
        else:
            last_kept[key] = uploaded
            found.kept.append(row)
    return found


def _parse(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    if not isinstance(row, dict) or not isinstance(row["event_properties"], dict):
        return None
    return row


def instant(text: str) -> datetime:
    """Amplitude's times, which are UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def paris_day(row: dict[str, Any]) -> date:
    """The day of an event in the reporting zone."""
    return instant(row["event_time"]).astimezone(PARIS).date()


def is_robot(row: dict[str, Any]) -> bool:
    """Bots and test accounts, as the tracking plan describes them."""
    user = row["user_properties"]
    return user.get("is_bot") is True or user.get("account_type") == "test"


def read_csv(path: Path, delimiter: str = ",", encoding: str = "utf-8") -> list[dict[str, str]]:
    """The rows of a survey export."""
    text = path.read_bytes().decode(encoding)
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True))


def read_pages(landing: Path, source: str, key: str) -> list[dict[str, Any]]:
    """The objects of all pages and JSON lines below a folder, repeats included."""
    found: list[dict[str, Any]] = []
    for path in sorted((landing / source).rglob("*.*")):
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        if ".ndjson" in path.name:
            found += [json.loads(line) for line in text.splitlines()]
        else:
            found += json.loads(text)[key]
    return found


def newest(objects: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The newest version of each object by `updated_at`."""
    found: dict[int, dict[str, Any]] = {}
    for item in sorted(objects, key=lambda item: item["updated_at"]):
        found[item["id"]] = item
    return found


class Owners:
    """Who a device or an amplitude_id belongs to: ids that are tied together share an owner."""

    def __init__(self) -> None:
        self._tied: dict[str, set[str]] = defaultdict(set)

    def tie(self, one: str, other: str) -> None:
        """Say that two ids belong to the same person."""
        self._tied[one].add(other)
        self._tied[other].add(one)

    def users_of(self, start: str) -> set[str]:
        """All user ids that an id is tied to, over any number of other ids, but not past a user."""
        seen, waiting, users = {start}, [start], set()
        while waiting:
            for other in self._tied[waiting.pop()] - seen:
                seen.add(other)
                if other.startswith("user:"):
                    users.add(other.removeprefix("user:"))
                else:
                    waiting.append(other)
        return users


def plan_changes(people: list[dict[str, Any]]) -> dict[str, list[tuple[date, str, str]]]:
    """By user: day, event and plan of each change, by time."""
    rows = [row for row in people if row["event_type"].startswith("plan_")]
    found: dict[str, list[tuple[date, str, str]]] = defaultdict(list)
    names = {"spark": "SPARK", "degree": "degree"}
    for row in sorted(rows, key=lambda row: row["event_time"]):
        plan = names[row["event_properties"]["plan"]]
        found[row["user_id"]].append((paris_day(row), row["event_type"], plan))
    return found


def emails(demo: Demo, people: list[dict[str, Any]]) -> dict[str, str]:
    """From e-mail address to user id, by Zendesk's external_id and Amplitude's property."""
    found = {}
    for user in newest(read_pages(demo.landing, "zendesk/users", "users")).values():
        if user["external_id"]:
            found[user["email"].strip().lower()] = user["external_id"]
    for row in people:
        if "email" in row["user_properties"]:
            found[row["user_properties"]["email"].strip().lower()] = row["user_id"]
    return found

"""What a file is, told from its path alone: the source it belongs to, and what its name says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

AMPLITUDE_EVENTS = "amplitude_events"
AMPLITUDE_MERGES = "amplitude_merges"
SATISMETER = "satismeter"
SURVEYS = "surveys"
ZENDESK_RESOURCES = (
    "tickets",
    "users",
    "ticket_events",
    "ticket_audits",
    "satisfaction_ratings",
    "calls",
    "legs",
    "organizations",
    "ticket_metric_events",
    "sla_policies",
    "schedules",
    "holidays",
)

# Longest first: `ticket_events` before `tickets`.
_ZENDESK = re.compile("|".join(sorted(ZENDESK_RESOURCES, key=len, reverse=True)))
_EVENTS = re.compile(
    r"(?P<project>\d+)_(?P<date>\d{4}-\d{2}-\d{2})_(?P<hour>\d{1,2})(?:#\d+)?\.json(?:\.gz)?"
)
_MERGES = re.compile(r"-\d+_\d{4}-\d{2}-\d{2}_\d{1,2}(?:#\d+)?\.json(?:\.gz)?")
_JSON = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt")


@dataclass(frozen=True)
class FileName:
    """What a name tells.

    Attributes:
        source: the source, or null when no reader knows such a file.
        project: the Amplitude project of an event file.
        hour: the hour of upload of an event file, UTC.
        remedy: what to do about a file that no reader knows.
    """

    source: str | None
    project: str | None = None
    hour: datetime | None = None
    remedy: str | None = None


def read_name(path: str) -> FileName:
    """Tell a data file's source from its path (of a zip member: the member's path)."""
    *parts, name = path.split("/")
    if found := _EVENTS.fullmatch(name):
        try:
            hour = datetime.fromisoformat(f"{found['date']}T{found['hour']:0>2}")
        except ValueError:
            return FileName(None, remedy="its name holds no valid date and hour; correct the name")
        return FileName(AMPLITUDE_EVENTS, project=found["project"], hour=hour)
    if _MERGES.fullmatch(name):
        return FileName(AMPLITUDE_MERGES)
    folders = [part.lower() for part in parts]
    lower = name.lower()
    if "zendesk" in folders and lower.endswith(_JSON):
        resource = _zendesk_resource(lower, folders)
        if resource is None:
            return FileName(
                None,
                remedy="put it in a folder, or begin its name, with one of "
                + ", ".join(ZENDESK_RESOURCES),
            )
        return FileName(f"zendesk_{resource}")
    if ("satismeter" in folders or lower.startswith("satismeter")) and lower.endswith(_JSON):
        return FileName(SATISMETER)
    if lower.endswith(_CSV):
        return FileName(SURVEYS)
    return FileName(
        None,
        remedy="name Amplitude files <project>_YYYY-MM-DD_H#n.json.gz, and put Zendesk and "
        "Satismeter exports (JSON) into folders of that name, surveys as CSV",
    )


def _zendesk_resource(name: str, folders: list[str]) -> str | None:
    begins = _ZENDESK.match(name)
    if begins:
        return begins[0]
    below = folders[folders.index("zendesk") + 1 :]
    return next((folder for folder in reversed(below) if folder in ZENDESK_RESOURCES), None)

"""Packs event rows as Amplitude's export does: a gzip an hour of upload, hours in zips."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from orchestration.demo.activity import Merge
from orchestration.demo.archive import compress, write_bytes, write_zip
from orchestration.demo.clock import DAY, HOUR, Period, calendar_day
from orchestration.demo.events import ORGANISATION, PROJECT, Row
from orchestration.demo.mishaps import Mishaps

# The export is fetched day by day; months that are over lie in one zip, and the newest days have
# not been packed at all.
_BARE_DAYS = 3


def write_amplitude(
    folder: Path, rows: Sequence[Row], mishaps: Mishaps, merges: Sequence[Merge], period: Period
) -> None:
    """Write the event files, what was exported again, and the files of merged ids."""
    packing = _Packing(folder, period)
    for hour, lines in _lines_by_hour(rows, mishaps):
        packing.add(hour, _event_name(hour, part=0), lines)
    for hour, lines in _merges_by_hour(merges):
        packing.add(hour, _merge_name(hour), lines)
    packing.close()
    again: dict[int, dict[str, bytes]] = defaultdict(dict)
    for hour, repeated in mishaps.repeats.items():
        name = _event_name(hour, part=1, padded=True)
        again[hour // 24][name] = compress("".join(row.line() + "\n" for row in repeated))
    for day, members in again.items():
        write_zip(folder / f"{PROJECT}_{calendar_day(day)}_again.zip", members)


def count_files(rows: Sequence[Row], mishaps: Mishaps, merges: Sequence[Merge]) -> tuple[int, int]:
    """Event files and files of merged ids, those in zips counted one by one."""
    hours = {row.uploaded_at // HOUR for row in (*rows, *mishaps.retries, *mishaps.unplanned)}
    hours |= {uploaded_at // HOUR for uploaded_at, _ in mishaps.broken}
    return len(hours) + len(mishaps.repeats), len({merge.at // HOUR for merge in merges})


class _Packing:
    """Collects the hours of a month or a day, and writes the zip when the next one begins."""

    def __init__(self, folder: Path, period: Period) -> None:
        self._folder = folder
        self._last_day = period.ends_at // DAY
        self._last_month = calendar_day(self._last_day).isoformat()[:7]
        self._archives: dict[str, dict[str, bytes]] = defaultdict(dict)

    def add(self, hour: int, name: str, lines: Iterable[str]) -> None:
        """Put the lines of an hour where they belong."""
        content = compress("".join(line + "\n" for line in lines))
        day = calendar_day(hour // 24).isoformat()
        if hour // 24 > self._last_day - _BARE_DAYS:
            write_bytes(self._folder / name, content)
        elif day.startswith(self._last_month):
            self._archives[day][name] = content
        else:
            self._archives[day[:7]][name] = content

    def close(self) -> None:
        """Write the zips."""
        for span, members in self._archives.items():
            write_zip(self._folder / f"{PROJECT}_{span}.zip", members)


def _lines_by_hour(rows: Sequence[Row], mishaps: Mishaps) -> Iterable[tuple[int, list[str]]]:
    """The lines of each hour of upload, by time of upload."""
    by_hour: dict[int, list[tuple[int, str, Row | None]]] = defaultdict(list)
    for row in (*rows, *mishaps.retries, *mishaps.unplanned):
        by_hour[row.uploaded_at // HOUR].append((row.uploaded_at, row.uuid, row))
    for uploaded_at, line in mishaps.broken:
        by_hour[uploaded_at // HOUR].append((uploaded_at, line, None))
    for hour in sorted(by_hour):
        entries = sorted(by_hour[hour], key=lambda entry: entry[:2])
        yield hour, [text if row is None else row.line() for _, text, row in entries]


def _merges_by_hour(merges: Sequence[Merge]) -> Iterable[tuple[int, list[str]]]:
    by_hour: dict[int, list[Merge]] = defaultdict(list)
    for merge in merges:
        by_hour[merge.at // HOUR].append(merge)
    for hour in sorted(by_hour):
        yield (
            hour,
            [
                json.dumps(
                    {
                        "scope": ORGANISATION,
                        "merge_time": merge.at - 4_000,
                        "merge_server_time": merge.at,
                        "amplitude_id": merge.absorbed,
                        "merged_amplitude_id": merge.stays,
                    },
                    separators=(",", ":"),
                )
                for merge in sorted(by_hour[hour], key=lambda merge: (merge.at, merge.absorbed))
            ],
        )


def _event_name(hour: int, *, part: int, padded: bool = False) -> str:
    width = 2 if padded else 1
    return f"{PROJECT}/{PROJECT}_{calendar_day(hour // 24)}_{hour % 24:0{width}}#{part}.json.gz"


def _merge_name(hour: int) -> str:
    return f"{PROJECT}/-{ORGANISATION}_{calendar_day(hour // 24)}_{hour % 24}.json.gz"

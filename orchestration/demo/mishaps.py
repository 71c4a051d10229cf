"""What happens to events between a phone and an export: retries, repeats, damage, surprises."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from orchestration.demo.chance import pick, some, uuid_text
from orchestration.demo.clock import DAY, HOUR, Period
from orchestration.demo.events import UNPLANNED, Row

# Less than this after the last kept event with its $insert_id, a row is a retry (definitions,
# section 6).
RETRY_WINDOW = 7 * DAY


@dataclass
class Mishaps:
    """What the export holds besides the events as they happened.

    Attributes:
        retries: rows that a client sent again, under another uuid.
        repeats: rows that a later export of the same hour holds again, by hour of upload (hours
            since 1970).
        unplanned: rows of event types that the tracking plan does not name.
        broken: lines that are no event, with their upload time.
    """

    retries: list[Row] = field(default_factory=list)
    repeats: dict[int, list[Row]] = field(default_factory=dict)
    unplanned: list[Row] = field(default_factory=list)
    broken: list[tuple[int, str]] = field(default_factory=list)


def befall(rng: random.Random, rows: Sequence[Row], period: Period) -> Mishaps:
    """Draw the mishaps of these rows; some rows are given the `$insert_id` of another one."""
    mishaps = Mishaps()
    ordinary = [row for row in rows if not row.client.is_robot]
    untouched = _reuse_insert_ids(rng, ordinary, mishaps, period)
    for row in pick(rng, untouched, some(0.005, 12, len(untouched))):
        if (retry := _retry(rng, row, period)) is not None:
            mishaps.retries.append(retry)
    retried = {retry.insert_id for retry in mishaps.retries}
    mishaps.unplanned = [
        _another(rng, row, event_type=UNPLANNED[number % len(UNPLANNED)], properties="{}")
        for number, row in enumerate(pick(rng, untouched, some(0.003, 9, len(untouched))))
    ]
    mishaps.broken = [
        (row.uploaded_at, _DAMAGE[number % len(_DAMAGE)](_another(rng, row).line()))
        for number, row in enumerate(pick(rng, untouched, some(0.0001, 6, len(untouched))))
    ]
    again = [row for row in untouched if row.insert_id not in retried]
    mishaps.repeats = _export_again(rng, again)
    return mishaps


def _retry(
    rng: random.Random, row: Row, period: Period, *, within: int = RETRY_WINDOW - DAY
) -> Row | None:
    """The row once more, uploaded some seconds to days later under another uuid."""
    seconds = rng.random() < 0.7
    uploaded_at = row.uploaded_at + rng.randrange(20_000, HOUR if seconds else within)
    if uploaded_at >= period.ends_at:
        return None
    return replace(row, uuid=uuid_text(rng), uploaded_at=uploaded_at)


def _another(rng: random.Random, row: Row, **changes: str) -> Row:
    """An event of its own at the same time and place."""
    return replace(row, uuid=uuid_text(rng), insert_id=uuid_text(rng), **changes)  # type: ignore[arg-type]


def _reuse_insert_ids(
    rng: random.Random, rows: Sequence[Row], mishaps: Mishaps, period: Period
) -> list[Row]:
    """Give events the `$insert_id` of another event; returns the rows that were left alone.

    None of them is a repeat: the ids meet on two devices, or more than seven days apart. Between
    some of the latter lies a retry of the first.
    """
    number = max(4, len(rows) // 8_000)
    plain = [row for row in rows if row.event_type == "page_viewed" and row.client.device]
    used: set[str] = set()
    for one, other in _pairs(pick(rng, plain, 2 * number)):
        if one.client.device is not other.client.device:
            other.insert_id = one.insert_id
            used.add(one.insert_id)
    by_device: dict[str, list[Row]] = defaultdict(list)
    for row in plain:
        if row.insert_id not in used and row.client.device is not None:
            by_device[row.client.device.device_id].append(row)
    apart = []
    for own in by_device.values():
        own.sort(key=lambda row: row.uploaded_at)
        if len(own) > 1 and own[-1].uploaded_at - own[0].uploaded_at > RETRY_WINDOW + DAY:
            apart.append((own[0], own[-1]))
    for index, (one, other) in enumerate(pick(rng, apart, 2 * number)):
        other.insert_id = one.insert_id
        used.add(one.insert_id)
        if index % 2:
            retry = _retry(rng, one, period, within=6 * DAY)
            if retry is not None and retry.uploaded_at < other.uploaded_at:
                mishaps.retries.append(retry)
    return [row for row in rows if row.insert_id not in used]


def _export_again(rng: random.Random, candidates: Sequence[Row]) -> dict[int, list[Row]]:
    """Parts of the hours of a few days that were exported a second time."""
    by_hour: dict[int, list[Row]] = defaultdict(list)
    for row in candidates:
        by_hour[row.uploaded_at // HOUR].append(row)
    by_day: dict[int, list[int]] = defaultdict(list)
    for hour, found in by_hour.items():
        if len(found) > 1:
            by_day[hour // 24].append(hour)
    repeats = {}
    for day in sorted(pick(rng, sorted(by_day), max(3, len(by_day) // 100))):
        for hour in sorted(by_day[day]):
            found = by_hour[hour]
            # Never all of an hour: that would be the same file again, not the same rows.
            repeats[hour] = rng.sample(found, max(1, len(found) // 2))
    return repeats


def _pairs(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    return list(zip(rows[::2], rows[1::2], strict=False))


def _cut_off(line: str) -> str:
    return line[: len(line) * 3 // 5]


def _text_for_an_object(line: str) -> str:
    head, separator, tail = line.partition('"event_properties":')
    rest = tail[tail.index(',"event_time"') :]
    return f'{head}{separator}"[object Object]"{rest}'


def _not_an_object(line: str) -> str:
    return f'["upload failed",{len(line)}]'


_DAMAGE: Sequence[Callable[[str], str]] = (_cut_off, _text_for_an_object, _not_an_object)

"""Odd values that can be loaded go the whole way: the real models take them, and publish.

Each field of each source has each of the values once, in a row of its own among good ones.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb

from orchestration.loading.load import SOURCE_TABLES
from tests.end_to_end.conftest import School, copy_repository, keep_only
from tests.torture import corpus
from tests.torture.inspection import inspect
from tests.torture.landings import make_batch
from tests.torture.measure import SEED, Measure
from tests.torture.mutations import HOSTILE_VALUES, TIMES
from tests.torture.schools import SECRET

_GOOD_ROWS = 20
# What is a number or a time to somebody, and too much for somebody else.
_NUMBERS: Final = ("1e308", "-1e308", "1e18", "9007199254740993", "NaN", "-0.0")
_YEARS: Final = ("2199", "1900", "0001", "9999")
_WRITTEN: Final = ("{}-12-31T23:59:59Z", "{}-12-31 23:59:59.999999", "{}-12-31", "31/12/{}")
_FEW: Final = ("1e308", "NaN", "null", '"2199-12-31T23:59:59Z"', '"2199-12-31 23:59:59.999999"')

_JSON: Final[dict[str, Callable[[int], dict[str, Any]]]] = {
    "amplitude/4242_2024-02-01_3#0.json": corpus.event,
    "amplitude/4242_2024-02-01_4#0.json": lambda number: corpus.event(4 * number),  # reports
    "amplitude/-4242_2024-02-01_3#0.json": corpus.merge,
    "satismeter/responses.json": corpus.response,
    **{f"zendesk/{name}.json": make for name, (_, make) in corpus.RESOURCES.items()},
}

# What the short form builds, with all that it is made from.
_MARTS: Final = (
    "agg_career_outcomes",
    "agg_nps",
    "agg_retention",
    "agg_lifecycle",
    "agg_support_daily",
    "agg_sla",
    "loaded_files",
)


def _json_values(is_full: bool) -> Sequence[str]:
    if not is_full:
        return _FEW
    times = [*TIMES, *(form.format(year) for year in _YEARS for form in _WRITTEN)]
    # Not the deep ones, which are no values to anybody.
    short = [value for value in HOSTILE_VALUES if len(value) < 1_000]
    return [*short, *_NUMBERS, *map(json.dumps, times)]


def _csv_values(is_full: bool) -> Sequence[str]:
    few = ["1e308", "NaN", "2199-12-31T23:59:59Z", "31/12/2199", "31/12/2199 23:59"]
    if not is_full:
        return few
    times = [form.format(year) for year in _YEARS for form in (*_WRITTEN, "31/12/{} 23:59")]
    return [*few, *_NUMBERS, *TIMES, *times, "", " ", "-1", "1e400", "inf", "=1+1", "9" * 40]


def _fields(row: dict[str, Any]) -> Iterator[tuple[str | int, ...]]:
    """Ways to every field of a row, and into its objects and the first object of its lists."""
    for name, value in row.items():
        yield (name,)
        inner, way = (
            (value[0], (name, 0)) if isinstance(value, list) and value else (value, (name,))
        )
        if isinstance(inner, dict):
            yield from ((*way, *further) for further in _fields(inner))


def _with(row: dict[str, Any], way: tuple[str | int, ...], value: str) -> bytes:
    changed: Any = json.loads(json.dumps(row))
    inside = changed
    for step in way[:-1]:
        inside = inside[step]
    inside[way[-1]] = "@here@"
    return json.dumps(changed).replace('"@here@"', value).encode(errors="surrogatepass")


def _odd_json(make: Callable[[int], dict[str, Any]], number: int, is_full: bool) -> bytes:
    rows = [json.dumps(make(number + n)).encode() for n in range(_GOOD_ROWS)]
    for way in _fields(make(number)):
        for value in _json_values(is_full):
            rows.append(_with(make(number + len(rows)), way, value))
    return corpus.as_lines(rows)


def _odd_csv(survey: str, number: int, is_full: bool) -> bytes:
    header, make, encoding, delimiter = corpus.SURVEYS[survey]
    rows = [*([header] if header else []), *(make(number + n) for n in range(_GOOD_ROWS))]
    for at in range(len(make(number).split(delimiter))):
        for value in _csv_values(is_full):
            fields = make(number + len(rows)).split(delimiter)
            if b'"' not in fields[at]:
                fields[at] = value.encode()
                rows.append(delimiter.join(fields))
    written = corpus.as_lines(rows)
    return written.decode().encode("utf-16") if encoding == "utf-16" else written


def _land(landing: Path, path: str, content: bytes) -> None:
    file = landing / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def test_odd_values_and_damaged_files_are_built_and_published(
    tmp_path: Path, measure: Measure
) -> None:
    """In short without the tests of the models. Odd times may not move the as-of by themselves."""
    repository = copy_repository(tmp_path / "repository", with_project=True)
    school = School(repository, tmp_path / "data")
    settings = {"NORTHSTAR_SECRET": SECRET, "NORTHSTAR_MAX_QUARANTINED_SHARE": "0.9"}
    if measure.is_full:
        settings["NORTHSTAR_AS_OF"] = "2200-01-01"  # after the latest of them
    else:
        keep_only(repository, _MARTS)
        settings["NORTHSTAR_AS_OF"] = "2024-06-01"
    shutil.rmtree(repository / "data" / "sources")
    corpus.write_contracts(repository / "data" / "sources")
    landing = school.settings.landing
    for number, (path, make) in enumerate(_JSON.items(), 1):
        _land(landing, path, _odd_json(make, number * 10**6, measure.is_full))
    for number, survey in enumerate(corpus.SURVEYS, 50):
        content = _odd_csv(survey, number * 10**6, measure.is_full)
        _land(landing, f"surveys/{survey}-1.csv", content)
    templates = corpus.make_templates(4 if measure.is_full else 1, first_number=1_000)
    good = corpus.make_templates(1, first_number=90_000)[:10]
    # The short form damages the same files every time, as that of test_bad_input.
    seed = measure.seed if measure.is_full or os.environ.get(SEED) else 20261122
    chance = random.Random(f"{seed} odd values")
    batch = make_batch(chance, templates, good, 200 if measure.is_full else 40)
    for template in batch.good:
        _land(landing, f"{template.folder}/{template.stem}", template.content)
    for case in batch.cases:
        _land(landing, case.path, case.stored)

    done = school.run(**settings)

    assert done.returncode == 0, done.stderr + done.stdout
    assert inspect(school.data / "published") is not None
    with duckdb.connect(str(school.settings.warehouse), read_only=True) as warehouse:
        ledger = warehouse.execute(
            "select source, sum(loaded), sum(quarantined) from raw.loaded_files group by source"
        ).fetchall()
        # A value that nobody foresaw would cost its file.
        unforeseen = warehouse.execute(
            "select path, reason from raw.loaded_files where reason like 'cannot be read (%' "
            "and path in (select unnest($1))",
            [list(_JSON) + [f"surveys/{name}-1.csv" for name in corpus.SURVEYS]],
        ).fetchall()
    assert unforeseen == []
    read = {source for source, loaded, _ in ledger if loaded}
    assert read >= SOURCE_TABLES.keys()

"""The published tables that tell what was published before, made from the chain alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb

from orchestration.publishing.chain import Chain, Restatement, Told
from orchestration.publishing.figures import Key
from orchestration.publishing.tables import Relation, write_comments

RESTATEMENTS = Relation("outcomes", "restatements")
HISTORY = Relation("outcomes", "published_history")

# Name, type, comment.
_Columns = Sequence[tuple[str, str, str]]
_FIGURE: _Columns = (
    ("relation", "varchar", "The published table that the figure belongs to."),
    ("figure", "varchar", "The figure, such as outcomes, nps or respondents."),
    ("month", "date", "First day of the month that the figure is about."),
    ("breakdown", "varchar", "`total`, or the column values that the figure is told by."),
)
_HISTORY_COLUMNS: _Columns = (
    *_FIGURE,
    ("value", "double", "What was published; null where withheld, or where there was nothing."),
    ("withheld", "boolean", "1 to 9 people, or a cell that would tell of such by subtraction."),
    ("published_at", "timestamp", "Since when this value stood, UTC."),
    ("publication_id", "varchar", "The publication that told it first."),
    ("published_until", "timestamp", "When another value replaced it, UTC; null while it stands."),
    ("entry", "bigint", "Number of the entry of the chain in data/state that holds it."),
    ("entry_hash", "varchar", "SHA-256 of that entry's file."),
)
_RESTATEMENT_COLUMNS: _Columns = (
    ("restated_at", "timestamp", "When the new value was published, UTC."),
    ("publication_id", "varchar", "The publication with the new value."),
    *_FIGURE,
    ("month_was_over", "boolean", "When the old value stood; a running month grows by itself."),
    ("old_value", "double", "What had been published; null where withheld or nothing."),
    ("new_value", "double", "What is published now; null where withheld or nothing."),
    ("change", "double", "New - old; null where it would tell a withheld value."),
    ("standing_since", "timestamp", "Since when the old value stood, UTC."),
    ("standing_since_publication_id", "varchar", "The publication that told it first."),
    ("cause", "varchar", "Why; null for parts of a total, whose causes stand beside the total."),
    ("cause_change", "double", "What the cause adds; all causes of a figure make up the change."),
    ("reports", "bigint", "How many reports count here, or no longer, by it; null if withheld."),
    ("explanation", "varchar", "A sentence."),
    ("entry", "bigint", "Number of the entry of the chain in data/state that holds it."),
    ("entry_hash", "varchar", "SHA-256 of that entry's file."),
)
_HISTORY_COMMENT = (
    "One row per figure, month, breakdown and value that was published, with the time during which "
    "it stood: what was once published for a month can always be shown again. Figures are those "
    "that the marts name under meta.snapshot. Cells of 1 to 9 are withheld, and of the parts of a "
    "total so many more that nothing small is found by subtraction."
)
_RESTATEMENT_COMMENT = (
    "One row per publication, figure that it changed, and cause: which published figure changed, "
    "by how much, since when and why. Sum cause_change, not change, over rows. Rows whose "
    "month_was_over is false are of a month that was still running. Nothing is ever removed."
)


def write_records(
    cursor: duckdb.DuckDBPyConnection, catalog: str, chain: Chain, causes: Mapping[str, str]
) -> list[Relation]:
    """Write both tables into a catalog; empty ones while nothing was ever told.

    Args:
        cursor: to write with.
        catalog: of the publication.
        chain: with the entry of this publication.
        causes: cause to words.
    """
    _write(cursor, catalog, RESTATEMENTS, _RESTATEMENT_COLUMNS, _restatements(chain, causes))
    _write(cursor, catalog, HISTORY, _HISTORY_COLUMNS, _history(chain))
    write_comments(cursor, catalog, RESTATEMENTS, _comments(_RESTATEMENT_COLUMNS))
    write_comments(cursor, catalog, RESTATEMENTS, [(None, _RESTATEMENT_COMMENT)])
    write_comments(cursor, catalog, HISTORY, _comments(_HISTORY_COLUMNS))
    write_comments(cursor, catalog, HISTORY, [(None, _HISTORY_COMMENT)])
    return [RESTATEMENTS, HISTORY]


def breakdown_of(by: Mapping[str, str]) -> str:
    """`segment=free, family=job`, or `total`."""
    return ", ".join(f"{name}={value}" for name, value in sorted(by.items())) or "total"


def _write(
    cursor: duckdb.DuckDBPyConnection,
    catalog: str,
    relation: Relation,
    columns: _Columns,
    rows: Iterable[Mapping[str, Any]],
) -> None:
    """Write rows in one statement: one for each of many rows would take seconds."""
    structure = json.dumps([{name: kind for name, kind, _ in columns}])
    cursor.execute(f"create schema if not exists {catalog}.{relation.schema}")
    cursor.execute(
        f"create table {relation.sql(catalog)} as "
        "select unnest(rows, max_depth := 2) "
        f"from (select from_json($rows::json, '{structure}') as rows)",
        {"rows": json.dumps(list(rows), default=str)},
    )


def _history(chain: Chain) -> Iterable[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    open_rows: dict[Key, dict[str, Any]] = {}
    for entry, digest in zip(chain.entries, chain.hashes, strict=True):
        at = _utc(entry.published_at)
        for told in entry.figures:
            if told.key in open_rows:
                open_rows[told.key]["published_until"] = at
            row = {
                **_figure(told.relation, told.figure, told),
                "value": told.value,
                "withheld": told.withheld,
                "published_at": at,
                "publication_id": entry.publication,
                "published_until": None,
                "entry": entry.number,
                "entry_hash": digest,
            }
            open_rows[told.key] = row
            rows.append(row)
    return rows


def _restatements(chain: Chain, causes: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    for entry, digest in zip(chain.entries, chain.hashes, strict=True):
        for restated in entry.restatements:
            old = _words(restated.old_value, withheld=restated.old_withheld)
            new = _words(restated.new_value, withheld=restated.new_withheld)
            why = "" if restated.cause is None else f": {causes[restated.cause]}"
            yield {
                "restated_at": _utc(entry.published_at),
                "publication_id": entry.publication,
                **_figure(restated.relation, restated.figure, restated),
                "month_was_over": restated.month_was_over,
                "old_value": restated.old_value,
                "new_value": restated.new_value,
                "change": restated.change,
                "standing_since": _utc(restated.standing_since_at),
                "standing_since_publication_id": restated.standing_since,
                "cause": restated.cause,
                "cause_change": restated.cause_change,
                "reports": restated.reports,
                "explanation": f"{restated.figure} of {restated.month:%Y-%m} "
                f"({breakdown_of(restated.by)}) went from {old} to {new}{why}.",
                "entry": entry.number,
                "entry_hash": digest,
            }


def _figure(relation: str, figure: str, told: Told | Restatement) -> dict[str, Any]:
    return {
        "relation": relation,
        "figure": figure,
        "month": str(told.month),
        "breakdown": breakdown_of(told.by),
    }


def _words(value: float | None, *, withheld: bool) -> str:
    if withheld:
        return "fewer than can be told"
    return "nothing" if value is None else f"{value:,}"


def _utc(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def _comments(columns: _Columns) -> list[tuple[str | None, str]]:
    return [(name, comment) for name, _, comment in columns]

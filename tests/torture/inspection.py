"""Looks at a published file as its readers do, without the code that wrote it.

What the readers of a file rely on is written down here a second time: that it opens, that every
table of its list can be read to the last row, that keys are unique and sums add up, and that the
Parquet copies beside it say the same.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import duckdb

# Table: columns that tell when, and by which run, not what. Where one may be null, whether it is
# still tells something.
OF_THE_RUN: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ops.published_at": frozenset({"publication_id", "run_id", "published_at", "chain_head"}),
        "outcomes.published_history": frozenset(
            {"publication_id", "published_at", "published_until", "entry_hash"}
        ),
        "outcomes.restatements": frozenset(
            {
                "restated_at",
                "publication_id",
                "standing_since",
                "standing_since_publication_id",
                "entry_hash",
            }
        ),
    }
)

# Table: columns that are its key.
_KEYS = {
    "core.dim_learners": "learner_key",
    "core.dim_courses": "course_id",
    "core.fct_learner_days": "learner_key, activity_date, event_type",
    "outcomes.fct_outcome_reports": "report_id",
    "outcomes.fct_career_outcomes": "outcome_id",
    "nps.fct_nps_responses": "response_id",
    "support.fct_tickets": "ticket_id",
    "ops.loaded_files": "path",
    "ops.published_at": "publication_id",
    "core.fct_events": "event_type",
    "core.fct_days": "activity_date",
}

# Tables: a query that finds what does not add up.
_SUMS = {
    ("ops.loaded_files",): """
        select * from ops.loaded_files
        where rows_in <> rows_loaded + rows_duplicate + rows_quarantined + rows_not_in_plan
            + rows_erased
    """,
    ("nps.agg_nps",): """
        select * from nps.agg_nps where respondents <> promoters + passives + detractors
    """,
    ("outcomes.agg_career_outcomes", "outcomes.fct_career_outcomes"): """
        select * from
            (select coalesce(sum(outcomes), 0) as told from outcomes.agg_career_outcomes),
            (select count(*) as counted from outcomes.fct_career_outcomes where is_counted)
        where told <> counted
    """,
    ("outcomes.fct_outcome_reports", "outcomes.fct_career_outcomes"): """
        select * from outcomes.fct_outcome_reports where outcome_id not in
            (select outcome_id from outcomes.fct_career_outcomes)
    """,
    ("core.fct_events", "core.fct_days"): """
        select * from
            (select coalesce(sum(events), 0) as by_type from core.fct_events),
            (select coalesce(sum(events), 0) as by_day from core.fct_days)
        where by_type <> by_day
    """,
}

Content = Mapping[str, str]


@dataclass(frozen=True)
class Inspected:
    """A published file that passed.

    Attributes:
        publication: its id.
        content: by table, a digest of its columns and of its rows, whatever their order; without
            what tells of the run (`OF_THE_RUN`).
    """

    publication: str
    content: Content


def inspect(published: Path) -> Inspected | None:
    """Open the published file and check it; none where nothing was ever published.

    Raises:
        AssertionError: it is not what readers rely on.
        duckdb.Error: it cannot be read.
    """
    file = published / "northstar.duckdb"
    if not file.is_symlink():
        return None
    assert file.is_file(), f"{file} leads nowhere"
    folder = file.resolve().parent
    manifest = json.loads((folder / "publication.json").read_text())
    listed = {table["relation"]: table["rows"] for table in manifest["tables"]}
    with duckdb.connect(str(file), read_only=True, config={"threads": 1}) as reader:
        assert _ask(reader, "select current_database()") == "northstar"
        found = reader.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where not internal"
        ).fetchall()
        assert {name for (name,) in found} == listed.keys()
        told = _ask(reader, "select publication_id from ops.published_at")
        assert told == manifest["id"] == folder.name
        content = {name: digest(reader, name) for name in listed}
        for name, rows in listed.items():
            assert _ask(reader, f"select count(*) from {name}") == rows, name
            parquet = folder / "parquet" / f"{name.replace('.', '/')}.parquet"
            assert _ask(reader, f"select count(*) from read_parquet('{parquet}')") == rows, name
            assert stat.S_IMODE(parquet.stat().st_mode) == 0o444
        for name, key in _KEYS.items():
            if name in listed:
                repeated = f"select {key} from {name} group by all having count(*) > 1"
                assert reader.execute(repeated).fetchall() == [], f"{name}: {key} is no key"
        for names, query in _SUMS.items():
            if listed.keys() >= set(names):
                assert reader.execute(query).fetchall() == [], f"{names} do not add up"
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    return Inspected(manifest["id"], content)


def marts(content: Content) -> Content:
    """The marts that landing alone decides: those that do not tell of earlier publications."""
    return {name: told for name, told in content.items() if name not in OF_THE_RUN}


def digest(reader: duckdb.DuckDBPyConnection, table: str) -> str:
    """SHA-256 over a table's columns and all of its rows, sorted."""
    schema, _, name = table.partition(".")
    columns = reader.execute(
        "select column_name, data_type from duckdb_columns() "
        "where schema_name = ? and table_name = ? order by column_index",
        [schema, name],
    ).fetchall()
    of_the_run = OF_THE_RUN.get(table, frozenset())
    asked = ", ".join(
        f'"{column}" is null' if column in of_the_run else f'"{column}"' for column, _ in columns
    )
    rows = reader.execute(
        f"select row({asked})::varchar as told from {table} order by told"
    ).fetchall()
    told = hashlib.sha256(repr(columns).encode())
    for (row,) in rows:
        told.update(f"{row}\n".encode())
    return f"{len(rows)} rows {told.hexdigest()}"


def _ask(reader: duckdb.DuckDBPyConnection, sql: str) -> object:
    rows = reader.execute(sql).fetchall()
    assert len(rows) == 1
    return rows[0][0]

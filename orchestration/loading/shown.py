"""Names that exports bring along and people are shown: of fields, event types, plans and files.

Whoever sends an event or saves a file names it as they like, after somebody's address or number,
too. What tells who somebody is stays out of what is stored of fields, and out of what is shown and
published of files; the ledger alone keeps paths as they are.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import duckdb

from orchestration.loading.masking import EMAIL, PHONE, mask
from orchestration.loading.rows import stage
from orchestration.loading.sql import literal

# Where what a file's events hold is collected before it is masked: as `raw.unknown_fields`.
UNKNOWN: Final = "unknown_names"
_MASKED: Final = "masked_names"
# What northstar itself puts before a name.
_BEGINNING: Final = re.compile(r"(?:event_type: |app: |plan: |(?:event|user)_properties\.)?")
# Projects are what the check of unknown fields is asked about most.
_PROJECT: Final = re.compile(r"app: \d{1,9}")
_FEWEST_DIGITS: Final = 6

# As the macro `shown_path` of dbt has them, which says what is found.
ADDRESS_IN_PATH: Final = (
    "(?i)[^/: ]+(?:@|＠|%40)[^/: ]+?((?:[.](?:json|csv|tsv|txt|zip|gz|xlsx))*)([/: ]|$)"  # noqa: RUF001
)
NUMBER_IN_PATH: Final = "(^|[^0-9])(?:[+][1-9](?:[ .-]?[0-9]){6,14}|0[1-9][0-9]{7,9})([^0-9]|$)"


def mask_name(name: str) -> str:
    """A name of a field, event type, project or plan without addresses and long numbers."""
    plain = unicodedata.normalize("NFKC", name)
    if _PROJECT.fullmatch(plain):
        return name
    if "@" not in plain and sum(map(str.isdigit, plain)) < _FEWEST_DIGITS:
        return name
    found = _BEGINNING.match(name)
    beginning = found[0] if found else ""
    return beginning + mask(name[len(beginning) :])


def collect_unknown(connection: duckdb.DuckDBPyConnection) -> None:
    """(Re)create the temporary table of what is unknown, for `store_unknown`."""
    connection.execute(
        f"create or replace temp table {UNKNOWN} (file_id bigint, source varchar, field varchar, "
        "occurrences bigint, is_sampled boolean)"
    )


def store_unknown(connection: duckdb.DuckDBPyConnection) -> None:
    """Move what was collected to `raw.unknown_fields`, masked and added up."""
    names = connection.execute(f"select distinct field from {UNKNOWN}").fetchall()
    masked = [{"field": name, "shown": mask_name(name)} for (name,) in names if name is not None]
    stage(
        connection,
        _MASKED,
        {"field": "VARCHAR", "shown": "VARCHAR"},
        [row for row in masked if row["shown"] != row["field"]],
    )
    connection.execute(
        f"""
        insert into raw.unknown_fields
        select file_id, source, coalesce(shown, field), sum(occurrences)::bigint, is_sampled
        from {UNKNOWN} left join {_MASKED} using (field)
        group by all
        """
    )
    connection.execute(f"drop table {UNKNOWN}")
    connection.execute(f"drop table {_MASKED}")


def shown_path(path: str) -> str:
    """SQL: a path of the landing folder (or a text that quotes one) as people are shown it."""
    address, number = literal(ADDRESS_IN_PATH), literal(NUMBER_IN_PATH)
    masked = f"regexp_replace({path}, {address}, '{EMAIL}\\1\\2', 'g')"
    # Twice: what stands between two numbers belongs to the first one.
    for _ in range(2):
        masked = f"regexp_replace({masked}, {number}, '\\1{PHONE}\\2', 'g')"
    return masked

"""What depends on the clock: when something was published, who holds the lock since when, when
people are told of what is wrong, and whether exports are of the future. None of it is a figure.

Ids and times of publications go forward even when the clock does not (see tests/publishing); times
of files are compared for being the same, never for being earlier; waiting uses a clock that nobody
can set.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from orchestration.settings import REPOSITORY

_CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime"}
_OF = {"datetime", "date", "time", "dt"}
_SQL_CLOCK = re.compile(
    r"\b(now\(\)|current_(date|time|timestamp)\b|get_current_\w+|today\(\)|"
    r"modules\.datetime\.\w+\.(now|utcnow|today)|run_started_at)",
    re.IGNORECASE,
)


def _readings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _CLOCKS
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id in _OF
        ):
            yield f"{path.relative_to(REPOSITORY / 'orchestration')}: {ast.unparse(node)}"


def test_the_clock_decides_no_figure() -> None:
    files = sorted((REPOSITORY / "orchestration").rglob("*.py"))
    found = {reading for path in files for reading in _readings(path)}
    assert found == {
        "defs/ingestion/checks.py: datetime.now(UTC)",  # a gate: no export is of a time to come
        "erasing/requests.py: datetime.now(UTC)",  # when somebody asked to be forgotten
        "lock.py: datetime.now(UTC)",  # what is said of the holder
        "publishing/writing.py: datetime.now(UTC)",  # ops.published_at
        "watching.py: datetime.now(UTC)",  # alerts
    }


def test_no_model_reads_the_clock() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}: {line.strip()}"
        for folder in ("models", "macros", "tests")
        for path in sorted((REPOSITORY / "dbt_project" / folder).rglob("*.sql"))
        for line in re.sub(r"(--[^\n]*|\{#.*?#\})", "", path.read_text(), flags=re.S).splitlines()
        if _SQL_CLOCK.search(line)
    ]
    assert found == []

"""Whatever a YAML of the dbt project names is explained there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.settings import DBT_PROJECT_DIR

_KINDS = ("models", "seeds", "sources", "tables", "exposures", "columns")


def _named(told: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Models, tables and their like with the columns in them, by where they stand.

    A source is left out: several files name the same one, and one of them explains it.
    """
    for kind in _KINDS:
        for one in told.get(kind) or ():
            if kind != "sources":
                yield f"{path}{one['name']}", one
            yield from _named(one, f"{path}{one['name']}.")


@pytest.mark.parametrize(
    "file",
    sorted(
        path for folder in ("models", "seeds") for path in (DBT_PROJECT_DIR / folder).rglob("*.yml")
    ),
    ids=lambda path: path.stem,
)
def test_every_model_table_and_column_is_described(file: Path) -> None:
    named = dict(_named(yaml.safe_load(file.read_text()), ""))

    assert named
    assert [name for name, one in named.items() if not one.get("description")] == []

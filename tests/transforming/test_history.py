"""Which project the warehouse was built with."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import duckdb

from orchestration.transforming import last_built_digest, record_build


def test_the_last_successful_build_counts(tmp_path: Path) -> None:
    schema = resources.files("orchestration.loading").joinpath("schema.sql").read_text()
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute(schema)
        assert last_built_digest(connection) is None

        record_build(connection, run_id="b", load_number=2, digest="new")
        record_build(connection, run_id="a", load_number=1, digest="old")

        assert last_built_digest(connection) == "new"

"""A small warehouse of known content, and a way to publish it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import pytest

from orchestration.publishing import Fingerprint, Publication, publish
from orchestration.settings import Settings

RELATIONS = ("core.dim_learners", "nps.agg_nps", "core.v_learners")
Publish = Callable[..., Publication]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", lock_wait_seconds=0, memory_limit="500MB")


@pytest.fixture
def fingerprint() -> Fingerprint:
    return Fingerprint(landing="l", contracts="c", dbt="d", settings="s")


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a warehouse with three learners, built by run-1."""
    settings.warehouse.parent.mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        for schema in ("raw", "intermediate", "core", "nps"):
            connection.execute(f"create schema {schema}")
        connection.execute(
            """
            create table raw.run_stamp as select 'run-1' as run_id, 1::bigint as load_number;
            create table intermediate.int_as_of as
                select date '2026-11-01' as as_of_date, timestamp '2026-10-31 23:00' as as_of_at;
            create table core.dim_learners (
                learner_key uuid primary key, signup_date date not null, courses varchar[],
                credits decimal(18, 3), traits map(varchar, varchar), nested struct(a bigint)
            );
            insert into core.dim_learners values
                ('00000000-0000-0000-0000-000000000001', '2026-01-01', ['a', 'b'], 1.5,
                 map {'k': 'v'}, {'a': 1}),
                ('00000000-0000-0000-0000-000000000002', '2026-01-02', [], null, map {}, null),
                ('00000000-0000-0000-0000-000000000003', '2026-01-03', null, 2, null, {'a': null});
            comment on table core.dim_learners is 'The learner''s row; not the person''s.';
            comment on column core.dim_learners.credits is 'Credits, "as decimals".';
            create view core.v_learners as select learner_key, signup_date from core.dim_learners;
            create table nps.agg_nps (month date, promoters bigint);
            """
        )
        yield connection


@pytest.fixture
def publish_it(
    warehouse: duckdb.DuckDBPyConnection, settings: Settings, fingerprint: Fingerprint
) -> Publish:
    """Publish the warehouse as run-1, or with other arguments."""

    def publish_it(
        run_id: str = "run-1",
        relations: Sequence[str] = RELATIONS,
        fingerprint: Fingerprint = fingerprint,
        settings: Settings = settings,
    ) -> Publication:
        return publish(
            warehouse, settings, run_id=run_id, relations=relations, fingerprint=fingerprint
        )

    return publish_it

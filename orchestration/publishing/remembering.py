"""The entry of a publication in the chain: its figures, and what it restates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime

import duckdb

from orchestration.publishing.causes import Effects, find_effects
from orchestration.publishing.chain import LAYOUT, Chain, Entry
from orchestration.publishing.figures import Figure, measure
from orchestration.publishing.fingerprint import Fingerprint
from orchestration.publishing.publications import (
    DATABASE_FILE,
    Publication,
    publications_folder,
)
from orchestration.publishing.restating import Before, changed_figures, restatements
from orchestration.publishing.tables import literal
from orchestration.settings import Settings

_BEFORE = "publication_before"


@contextmanager
def publication_before(
    cursor: duckdb.DuckDBPyConnection, settings: Settings, current: Publication | None
) -> Iterator[str | None]:
    """The catalog with the tables that readers see until now; none where there is none to read.

    Attached read-only, like any reader does. One that cannot be read costs the causes of
    restatements, not the publication that may take its place.
    """
    if current is None:
        yield None
        return
    path = publications_folder(settings) / current.id / DATABASE_FILE
    try:
        cursor.execute(f"attach {literal(str(path))} as {_BEFORE} (read_only)")
    except duckdb.Error:
        yield None
        return
    try:
        yield _BEFORE
    finally:
        with suppress(duckdb.Error):
            cursor.execute(f"detach {_BEFORE}")


def extend_chain(
    cursor: duckdb.DuckDBPyConnection,
    chain: Chain,
    figures: Sequence[Figure],
    *,
    catalog: str,
    before: str | None,
    current: Publication | None,
    publication_id: str,
    published_at: datetime,
    as_of: date | None,
    inputs: Fingerprint,
) -> Chain:
    """The chain with this publication's entry; the same one when no figure is told otherwise.

    Args:
        cursor: sees both catalogs.
        chain: as it is in `data/state`.
        figures: to be told.
        catalog: holds the tables to be published.
        before: holds those of `current`.
        current: the publication that readers see until now.
        publication_id: of the publication to be.
        published_at: its time.
        as_of: its as-of day.
        inputs: what it is made from.
    """
    changed = changed_figures(chain, figures, measure(cursor, catalog, figures))
    if not changed:
        return chain
    restated = []
    if chain.entries:
        effects: Mapping[tuple[str, str], Effects] = {}
        if before is not None and current is not None:
            effects = find_effects(
                cursor,
                before,
                catalog,
                was_made_from=current.fingerprint,
                is_made_from=inputs,
                is_as_of_another_day=current.as_of != as_of,
            )
        told_as_of = chain.entries[-1].as_of if current is None else current.as_of
        restated = restatements(chain, changed, Before(told_as_of, effects))
    return chain.extended(
        Entry(
            layout=LAYOUT,
            school=chain.school,
            number=len(chain.entries) + 1,
            previous=chain.hashes[-1] if chain.hashes else None,
            publication=publication_id,
            published_at=published_at,
            as_of=as_of,
            inputs=inputs,
            figures=tuple(told for _, told in changed),
            restatements=tuple(restated),
        )
    )

"""What only the owner may read: a file of its own, published, kept and removed with the others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import duckdb
import pytest

from orchestration.errors import PublishingError
from orchestration.publishing import (
    Fingerprint,
    Publication,
    current_publication,
    nothing_new,
    publish,
    published_file,
    restricted_file,
)
from orchestration.publishing.publications import publications_folder
from orchestration.settings import Settings

COMMENT = "canary comment of somebody"
RESTRICTED = ("nps.nps_comments",)


@pytest.fixture
def with_comments(warehouse: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    warehouse.execute(
        """
        create table nps.nps_comments (response_id uuid, score integer, comment varchar);
        comment on column nps.nps_comments.comment is 'Masked.';
        """
    )
    warehouse.execute("insert into nps.nps_comments values (uuid(), 9, ?)", [COMMENT])
    return warehouse


def publish_with(
    warehouse: duckdb.DuckDBPyConnection,
    settings: Settings,
    fingerprint: Fingerprint,
    restricted: tuple[str, ...] = RESTRICTED,
) -> Publication:
    return publish(
        warehouse,
        settings,
        run_id="run-1",
        relations=["core.dim_learners"],
        fingerprint=fingerprint,
        restricted=restricted,
    )


def files_with(folder: Path, text: str) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and text.encode() in path.read_bytes()
    }


def test_comments_lie_in_the_restricted_file_alone_which_only_its_owner_may_read(
    with_comments: duckdb.DuckDBPyConnection, settings: Settings, fingerprint: Fingerprint
) -> None:
    before = os.umask(0)  # the umask of a careless service
    try:
        publication = publish_with(with_comments, settings, fingerprint)
    finally:
        os.umask(before)
    folder = publications_folder(settings) / publication.id
    mode = stat.S_IMODE((folder / "restricted.duckdb").stat().st_mode)
    assert mode == 0o600
    assert restricted_file(settings).resolve() == folder / "restricted.duckdb"
    with duckdb.connect(str(restricted_file(settings)), read_only=True) as reader:
        assert reader.execute("select score, comment from nps.nps_comments").fetchall() == [
            (9, COMMENT)
        ]
        assert reader.execute(
            "select comment from duckdb_columns() where column_name = 'comment' "
            "and table_name = 'nps_comments'"
        ).fetchall() == [("Masked.",)]
    assert files_with(settings.published, COMMENT) == {
        f"publications/{publication.id}/restricted.duckdb"
    }
    assert [table.relation for table in publication.restricted] == ["nps.nps_comments"]
    assert "nps.nps_comments" not in [table.relation for table in publication.tables]
    assert current_publication(settings) == publication
    with duckdb.connect(str(published_file(settings)), read_only=True) as reader:
        assert reader.execute(
            "select count(*) from duckdb_tables() where table_name = 'nps_comments'"
        ).fetchall() == [(0,)]


def test_it_goes_with_its_publication(
    with_comments: duckdb.DuckDBPyConnection, settings: Settings, fingerprint: Fingerprint
) -> None:
    kept = settings.model_copy(update={"keep_publications": 1})
    first = publish_with(with_comments, kept, fingerprint)
    second = publish_with(with_comments, kept, fingerprint)
    assert not (publications_folder(settings) / first.id).exists()
    assert restricted_file(settings).resolve().parent.name == second.id


def test_a_publication_without_comments_leaves_no_link_to_old_ones(
    with_comments: duckdb.DuckDBPyConnection, settings: Settings, fingerprint: Fingerprint
) -> None:
    publish_with(with_comments, settings, fingerprint)
    publish_with(with_comments, settings, fingerprint, restricted=())
    assert not restricted_file(settings).is_symlink()
    assert published_file(settings).is_file()


@pytest.mark.parametrize("lost", ["restricted.duckdb", "current/restricted.duckdb"])
def test_something_is_new_when_the_restricted_file_was_deleted(
    settings: Settings,
    with_comments: duckdb.DuckDBPyConnection,
    fingerprint: Fingerprint,
    lost: str,
) -> None:
    publish_with(with_comments, settings, fingerprint)
    assert nothing_new(settings, fingerprint)
    (settings.published / lost).unlink()
    assert not nothing_new(settings, fingerprint)


def test_nothing_is_both_published_and_restricted(
    with_comments: duckdb.DuckDBPyConnection, settings: Settings, fingerprint: Fingerprint
) -> None:
    with pytest.raises(
        PublishingError, match=r"core\.dim_learners is both published and restricted"
    ):
        publish_with(with_comments, settings, fingerprint, restricted=("core.dim_learners",))
    assert current_publication(settings) is None


def test_a_missing_restricted_table_leaves_the_old_publication(
    with_comments: duckdb.DuckDBPyConnection, settings: Settings, fingerprint: Fingerprint
) -> None:
    first = publish_with(with_comments, settings, fingerprint)
    with_comments.execute("drop table nps.nps_comments")
    with pytest.raises(PublishingError, match=r"nps\.nps_comments is not in the warehouse"):
        publish_with(with_comments, settings, fingerprint)
    assert current_publication(settings) == first
    assert [entry.name for entry in publications_folder(settings).iterdir()] == [first.id]

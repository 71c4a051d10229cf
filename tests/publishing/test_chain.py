"""The chain of published figures: a changed past is evident, and a kill leaves nothing half."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestration.cli import main
from orchestration.errors import ChainError
from orchestration.history import published_on, verified
from orchestration.publishing import (
    Fingerprint,
    current_publication,
    publications,
    published_file,
    verify,
    writing,
)
from orchestration.publishing.chain import Chain, Entry, Told
from orchestration.publishing.figures import Cell, Key, withhold_small
from orchestration.publishing.publications import (
    complete_publications,
    publications_folder,
    read_manifest,
)
from orchestration.publishing.restating import changed_figures
from orchestration.settings import REPOSITORY, Settings
from tests.publishing.reports import FIGURES, Desk, open_desk

MARCH = date(2024, 3, 1)
Spoil = Callable[[list[Path]], object]

# Publishes one more outcome in a process that kills itself in the middle; `{where}` says where.
PUBLISH_AND_DIE = """
import os, signal, sys
from datetime import date
from pathlib import Path
import duckdb
from orchestration.publishing import writing
from orchestration.settings import Settings
from tests.publishing.reports import Desk

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

settings = Settings(data_dir=Path(sys.argv[1]), lock_wait_seconds=60)
with duckdb.connect(str(settings.warehouse)) as connection:
    desk = Desk(settings, connection)
    desk.count(1, 13, date(2024, 3, 1))
    {where}
    desk.publish(landing="one more")
"""
BEFORE_THE_ENTRY = "writing.append = die"
AFTER_THE_ENTRY = "append = writing.append; writing.append = lambda *a: (append(*a), die())"
BEFORE_THE_SWITCH = "writing.make_current = die"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", lock_wait_seconds=0, memory_limit="500MB")


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    with open_desk(settings) as desk:
        desk.count(1, 12, MARCH)
        yield desk


@pytest.fixture(scope="module")
def three_entries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with three publications, each with an entry; tests work on copies."""
    data = tmp_path_factory.mktemp("chain") / "data"
    with open_desk(Settings(data_dir=data, lock_wait_seconds=0, memory_limit="500MB")) as desk:
        desk.count(1, 12, MARCH)
        for more in range(3):
            desk.count(700, more, MARCH)
            desk.publish(landing=str(more))
    return data


@pytest.fixture
def entries(three_entries: Path, settings: Settings) -> list[Path]:
    """The files of three entries."""
    shutil.copytree(three_entries, settings.data, symlinks=True)
    return _files(settings)


def _files(settings: Settings, school: str = "own") -> list[Path]:
    return sorted((settings.state / "published" / school).iterdir())


def _write(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def _change_figure(path: Path) -> None:
    entry = json.loads(path.read_bytes())
    entry["figures"][0]["value"] = 4_711
    text = json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    _write(path, f"{text}\n".encode())


def _swap(first: Path, second: Path) -> None:
    one, other = first.read_bytes(), second.read_bytes()
    _write(first, other)
    _write(second, one)


def test_each_entry_names_the_hash_of_the_file_before_it(
    entries: list[Path], settings: Settings
) -> None:
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in entries]

    assert [path.name for path in entries] == ["000001.json", "000002.json", "000003.json"]
    assert [json.loads(path.read_bytes())["previous"] for path in entries] == [None, *hashes[:2]]
    chain, wrong = verify(settings, "own")
    assert not wrong
    assert list(chain.hashes) == hashes
    publication = current_publication(settings)
    assert publication is not None
    assert publication.chain == chain.head
    assert {path.stat().st_mode & 0o777 for path in entries} == {0o400}


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda paths: _change_figure(paths[0]), "Entry 1 or the link to it was changed"),
        (lambda paths: _change_figure(paths[2]), "Entry 3 was changed"),
        (lambda paths: paths[0].unlink(), "Entry 1 is missing"),
        (lambda paths: paths[1].unlink(), "Entry 2 is missing"),
        (lambda paths: paths[2].unlink(), "Entries 3 to 3 are missing"),
        (lambda paths: [path.unlink() for path in paths], "Entries 1 to 3 are missing"),
        (lambda paths: _swap(paths[0], paths[1]), "000001.json holds entry 2"),
        (lambda paths: _swap(paths[1], paths[2]), "Entry 1 or the link to it|000002.json holds"),
        (lambda paths: _write(paths[1], paths[1].read_bytes()[:-40]), "Entry 2 .* cannot be read"),
        (lambda paths: _write(paths[2], b""), "Entry 3 .* cannot be read"),
        (lambda paths: _write(paths[2], paths[2].read_bytes() + b"\n"), "Entry 3 .* not written"),
    ],
)
def test_a_changed_past_is_found_named_and_not_built_upon(
    entries: list[Path], settings: Settings, spoil: Spoil, named: str
) -> None:
    before = published_file(settings).read_bytes()
    spoil(entries)

    with pytest.raises(ChainError, match=named):
        verified(settings)
    with (
        duckdb.connect(str(settings.warehouse)) as connection,
        pytest.raises(ChainError, match="backup"),
    ):
        Desk(settings, connection).publish(landing="one more")

    assert published_file(settings).read_bytes() == before
    assert not list(publications_folder(settings).glob(".*"))


def test_the_command_prints_what_is_wrong_and_fails(
    entries: list[Path],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(settings.data))
    head = hashlib.sha256(entries[2].read_bytes()).hexdigest()

    assert main(["verify"]) == 0
    assert capsys.readouterr().out == (
        f"The chain of own exports is unchanged: 3 entries, head {head}.\n"
    )
    assert main(["verify", hashlib.sha256(entries[0].read_bytes()).hexdigest()]) == 0
    assert main(["verify", "0" * 64]) == 1
    assert f"No entry has the hash {'0' * 64}" in capsys.readouterr().err
    _change_figure(entries[1])
    assert main(["verify"]) == 1
    assert "Entry 2 or the link to it was changed" in capsys.readouterr().err


def test_a_head_that_was_written_down_tells_when_everything_else_was_replaced(desk: Desk) -> None:
    """Whoever rewrites the chain and all publications is still found by a printed head."""
    desk.publish()
    chain, _ = verify(desk.settings, "own")
    head = chain.hashes[-1]
    for folder in (desk.settings.state, desk.settings.published):
        shutil.rmtree(folder)
    desk.count(1, 30, MARCH)
    desk.publish(landing="a better past")

    assert verified(desk.settings)
    with pytest.raises(ChainError, match=head):
        verified(desk.settings, head)


def test_the_same_figures_make_no_entry_and_keep_the_head(desk: Desk) -> None:
    first = desk.publish()

    second = desk.publish(landing="other files, same figures")

    assert second.id != first.id
    assert second.chain == first.chain
    assert len(_files(desk.settings)) == 1


def test_demo_and_own_exports_have_a_chain_each(desk: Desk) -> None:
    desk.publish("demo")
    desk.count(700, 5, MARCH)
    own = desk.publish("own", landing="own")

    assert own.chain is not None
    assert (own.chain.school, own.chain.number) == ("own", 1)
    assert desk.read("select count(*) from outcomes.restatements") == [(0,)]
    assert desk.read("select value from outcomes.published_history where breakdown = 'total'") == [
        (17.0,)
    ]


def test_an_erasure_changes_no_entry_of_the_past(desk: Desk) -> None:
    desk.publish()
    before = [path.read_bytes() for path in _files(desk.settings)]
    del desk.reports[1]
    desk.files["survey.csv"] = ("c", 1)

    desk.publish(landing="erased")

    after = [path.read_bytes() for path in _files(desk.settings)]
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1
    assert verified(desk.settings)


@pytest.mark.parametrize("where", [BEFORE_THE_ENTRY, AFTER_THE_ENTRY, BEFORE_THE_SWITCH])
def test_after_a_kill_the_next_run_tells_each_figure_once(
    settings: Settings, desk: Desk, where: str
) -> None:
    first = desk.publish()
    desk.connection.close()
    killed = subprocess.run(
        [sys.executable, "-c", PUBLISH_AND_DIE.format(where=where), str(settings.data)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert current_publication(settings) == first
    assert verified(settings)
    has_entry = where != BEFORE_THE_ENTRY
    assert len(_files(settings)) == 1 + has_entry

    with duckdb.connect(str(settings.warehouse)) as connection:
        again = Desk(settings, connection)
        again.count(1, 13, MARCH)
        last = again.publish(landing="one more")
        restated = again.read(
            "select old_value, new_value, cause from outcomes.restatements "
            "where breakdown = 'total'"
        )

    assert verified(settings)
    assert len(_files(settings)) == 2
    assert last.chain is not None
    assert last.chain.number == 2
    assert restated == [(12.0, 13.0, "late_arrival")]
    kept = [path.name for path in publications_folder(settings).iterdir()]
    assert all(read_manifest(publications_folder(settings) / name) for name in kept)
    # With its entry written the killed publication was shown before the next one took its place.
    assert len(kept) == 2 + has_entry


@pytest.mark.parametrize("where", [AFTER_THE_ENTRY, BEFORE_THE_SWITCH])
def test_a_first_publication_that_was_killed_is_shown_before_another_takes_its_place(
    settings: Settings, desk: Desk, where: str
) -> None:
    desk.fill()
    desk.connection.close()
    killed = subprocess.run(
        [sys.executable, "-c", PUBLISH_AND_DIE.format(where=where), str(settings.data)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert current_publication(settings) is None

    with duckdb.connect(str(settings.warehouse)) as connection:
        again = Desk(settings, connection)
        again.count(1, 14, MARCH)
        last = again.publish(landing="two more")
        restated = again.read(
            "select old_value, new_value, cause from outcomes.restatements "
            "where breakdown = 'total'"
        )

    # What the chain tells had been published is a publication that was there to be read.
    kept = sorted(path.name for path in publications_folder(settings).iterdir())
    told = Entry.model_validate_json(_files(settings)[0].read_bytes())
    assert kept == [told.publication, last.id]
    assert restated == [(13.0, 14.0, "late_arrival")]


def test_an_old_head_is_not_shown_again_because_the_link_was_deleted(
    settings: Settings, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.publish()
    newest = desk.publish(landing="the same figures")
    (settings.published / "current").unlink()
    shown: list[str] = []
    monkeypatch.setattr(publications, "make_current", lambda _, name: shown.append(name))

    last = desk.publish(landing="more")

    assert shown == []
    assert newest.id < last.id


def test_time_goes_forward_in_what_is_told_even_when_the_clock_goes_backwards(
    settings: Settings, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        times = iter((2030, 2025, 2026, 2031))

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            return cls(next(cls.times), 1, 1, tzinfo=tz)

    monkeypatch.setattr(writing, "datetime", Clock)
    for more in range(4):
        desk.count(700, more, MARCH)
        desk.publish(landing=str(more))

    history = desk.read(
        "select published_at, published_until, value from outcomes.published_history "
        "where breakdown = 'total' and month = '2024-03-01' order by entry"
    )
    second = timedelta(seconds=1)
    began = datetime(2030, 1, 1)
    assert history == [
        (began, began + second, 12.0),
        (began + second, began + 2 * second, 13.0),
        (began + 2 * second, datetime(2031, 1, 1), 14.0),
        (datetime(2031, 1, 1), None, 15.0),
    ]
    ids = [one.id for one in complete_publications(settings)]
    current = current_publication(settings)
    assert current is not None
    assert current.id == max(ids)


def test_what_a_kill_left_of_an_entry_is_cleared_away(desk: Desk) -> None:
    desk.publish()
    folder = desk.settings.state / "published" / "own"
    (folder / ".000002.json.4711").write_bytes(b'{"half')
    desk.count(700, 1, MARCH)

    assert verified(desk.settings)
    desk.publish(landing="more")

    assert [path.name for path in _files(desk.settings)] == ["000001.json", "000002.json"]


def test_what_was_said_of_a_month_on_an_earlier_day_can_be_shown(
    entries: list[Path],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _move_into_the_past(entries)
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(settings.data))
    shutil.rmtree(settings.published)  # its publications know of other entries

    def total(*arguments: str) -> str:
        assert main(["history", "2024-03", *arguments]) == 0
        lines = capsys.readouterr().out.splitlines()
        return next(line.split()[3] for line in lines if " total " in line)

    assert total() == "14"
    assert total("--on", "2025-01-31") == "14"
    assert total("--on", "2025-01-20") == "13"
    assert total("--on", "2025-01-10") == "12"
    with pytest.raises(ChainError, match="about 2024-03 by 2025-01-09"):
        published_on(settings, MARCH, date(2025, 1, 9))
    assert main(["history", "1999-01"]) == 1


def _move_into_the_past(entries: list[Path]) -> None:
    """Date three entries 10, 20 and 30 January 2025, as if they had been written then."""
    previous = None
    for path, day in zip(entries, (10, 20, 30), strict=True):
        entry = Entry.model_validate_json(path.read_bytes())
        moved = entry.model_copy(
            update={"published_at": datetime(2025, 1, day, 23, tzinfo=UTC), "previous": previous}
        )
        _write(path, moved.to_bytes())
        previous = hashlib.sha256(moved.to_bytes()).hexdigest()


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from([date(2024, month, 1) for month in (1, 2, 3)]),
            st.lists(st.integers(0, 25), min_size=3, max_size=3),
        ),
        min_size=1,
        max_size=6,
    )
)
@hypothesis_settings(max_examples=50, deadline=None)
def test_going_through_the_chain_gives_what_each_publication_told(
    publications: list[dict[date, list[int]]],
) -> None:
    total, part = [figure for figure in FIGURES if figure.name == "outcomes"]
    chain = Chain("own")
    told: list[dict[Key, tuple[object, bool]]] = []
    for number, months in enumerate(publications):
        cells = [
            Cell(total, month, (), sum(people), sum(people))
            for month, people in months.items()
            if sum(people)
        ] + [
            Cell(part, month, (("segment", str(segment)),), size, size)
            for month, people in months.items()
            for segment, size in enumerate(people)
            if size
        ]
        shown = withhold_small(cells)
        told.append({cell.key: (cell.value, cell.withheld) for cell in shown})
        changed = changed_figures(chain, [total, part], shown)
        if changed:
            chain = chain.extended(_entry(chain, number, [figure for _, figure in changed]))
        # The newest entry says what this publication tells, and each older one what that told.
        for entry_number, entry in enumerate(chain.entries, start=1):
            then = Chain("own", chain.entries[:entry_number], chain.hashes[:entry_number])
            assert _as_told(then) == _normal(told[int(entry.publication)])
        assert _as_told(chain) == _normal(told[-1])


def _entry(chain: Chain, number: int, figures: list[Told]) -> Entry:
    return Entry(
        layout=1,
        school="own",
        number=len(chain.entries) + 1,
        previous=chain.hashes[-1] if chain.hashes else None,
        publication=str(number),
        published_at=datetime(2025, 1, 1, tzinfo=UTC),
        as_of=date(2025, 1, 1),
        inputs=Fingerprint(landing="l", contracts="c", dbt="d", settings="s"),
        figures=tuple(figures),
        restatements=(),
    )


def _as_told(chain: Chain) -> dict[Key, tuple[object, bool]]:
    return _normal(
        {key: (one.told.value, one.told.withheld) for key, one in chain.standing.items()}
    )


def _normal(told: dict[Key, tuple[object, bool]]) -> dict[Key, tuple[object, bool]]:
    """Without what says the same as no entry: a total of 0, and a part that is withheld."""
    return {
        key: one for key, one in told.items() if one != ((None, True) if key[3] else (0, False))
    }


def test_publishing_needs_neither_dagster_nor_dbt() -> None:
    code = (
        "import sys, orchestration.publishing, orchestration.history; "
        "sys.exit(any(name.split('.')[0] in ('dagster', 'dbt') for name in sys.modules))"
    )

    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)

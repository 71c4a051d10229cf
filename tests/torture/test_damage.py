"""What becomes of a school whose runs are killed, whose disk is full and whose files are deleted.

In short on a small dbt project; in full the kills are those of the real one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from orchestration.liveness import dead_runs, leave_for_dead
from orchestration.transforming import last_built_digest
from tests.torture.inspection import Inspected, inspect, marts
from tests.torture.measure import MEASURE, Measure
from tests.torture.runs import BUILDING, LOADING, PUBLISHING, STARTING
from tests.torture.schools import Grounds, Reference, real_grounds, settings_of, small_grounds

_KILLS_A_PART = 25
# Where runs are killed, in turn. Starting comes seldom: it writes next to nothing.
_STAGES = (LOADING, BUILDING, PUBLISHING, LOADING, BUILDING, PUBLISHING, STARTING)
_in_full = pytest.mark.skipif(not MEASURE.is_full, reason="takes long: `make torture`")
_AT_ONCE = {"NORTHSTAR_LOCK_WAIT_SECONDS": "0"}


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """Where the small project is run."""
    with ExitStack() as stack:
        yield small_grounds(tmp_path_factory.mktemp("small"), stack)


@pytest.fixture(scope="module")
def killing_grounds(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, measure: Measure
) -> Iterator[Grounds]:
    """Where runs are killed: the real project, in full; the small one, in short."""
    if not measure.is_full:
        yield request.getfixturevalue("grounds")
        return
    with ExitStack() as stack:
        yield real_grounds(tmp_path_factory.mktemp("real"), stack)


# -- kills ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kill:
    """A kill.

    Attributes:
        aimed_at: the stage, and how far into it by what an undisturbed run took, 0 to 1.
        hit: the stage that the run had told last.
    """

    aimed_at: tuple[str, float]
    hit: str


@pytest.mark.parametrize("part", range(max(1, MEASURE.kills // _KILLS_A_PART)))
def test_a_run_that_is_killed_anywhere_and_started_again_publishes_the_same(
    killing_grounds: Grounds, measure: Measure, part: int
) -> None:
    """Kills in chains: also the run that comes after a kill is killed."""
    chance = measure.chance(f"kills {part}")
    kills: list[Kill] = []
    pace = dict.fromkeys(_STAGES, 1.0)
    wanted = min(measure.kills, _KILLS_A_PART)
    chains = 0
    while len(kills) < wanted:
        chains += 1
        assert chains <= 4 * wanted, f"Runs end before they are killed: {kills}"
        is_first = chance.random() < 0.3
        reference = killing_grounds.first if is_first else killing_grounds.update
        data = killing_grounds.fresh() if is_first else killing_grounds.updated()
        for _ in range(min(chance.randint(1, 4), wanted - len(kills))):
            stage = _STAGES[(part + len(kills)) % len(_STAGES)]
            seconds = pace[stage] * reference.run.seconds(stage)
            kill = _kill(killing_grounds, data, (stage, chance.random()), seconds)
            if kill is None:
                pace[stage] /= 2  # the machine has become faster
                break
            kills.append(kill)
            _is_before_or_after(inspect(data / "published"), reference, kills)

        again = killing_grounds.server.start(data, _AT_ONCE)

        assert again.wait() == 0, (kills, again.output)
        after = inspect(data / "published")
        assert after is not None
        assert after.content == reference.after.content, kills
        _is_tidy(data)
        shutil.rmtree(data)
    print(f"{len(kills)} kills in {chains} schools: {kills}")
    if wanted >= len(_STAGES):
        assert {kill.hit for kill in kills} >= {LOADING, BUILDING, PUBLISHING}


def _kill(grounds: Grounds, data: Path, aim: tuple[str, float], seconds: float) -> Kill | None:
    """Start a run and kill it; null if it had ended before, as it should.

    Args:
        grounds: run it.
        data: of the school.
        aim: the stage, and how far into it, 0 to 1.
        seconds: how long the stage takes.
    """
    stage, moment = aim
    run = grounds.server.start(data, _AT_ONCE)
    if run.until(stage) and run.lives_for(moment * seconds):
        run.kill()
        if run.code != 0:
            return Kill(aim, run.stage)
    assert run.wait() == 0, run.output
    return None


def _is_before_or_after(seen: Inspected | None, reference: Reference, why: object) -> None:
    """Readers have the old publication or the new one, and nothing else."""
    if seen is None:
        assert reference.before is None, why
        return
    before = [] if reference.before is None else [reference.before.content]
    assert seen.content in (*before, reference.after.content), why


def _is_tidy(data: Path) -> None:
    """Nothing of the killed runs is left that costs space, tells secrets, or keeps others out."""
    settings = settings_of(data)
    left = {path.relative_to(data).as_posix() for path in (data / "warehouse").iterdir()}
    assert left <= {"warehouse/warehouse.duckdb", "warehouse/rebuild.lock", "warehouse/runs"}
    assert list((data / "warehouse" / "runs").iterdir()) == []
    hidden = [path for name in ("published", "state") for path in (data / name).rglob(".*")]
    assert hidden == []
    publications = list((settings.published / "publications").iterdir())
    assert len(publications) <= settings.keep_publications
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(settings.dagster_home))
        with dg.DagsterInstance.get() as instance:
            pool = instance.event_log_storage.get_concurrency_info("warehouse")
            assert pool.claimed_slots == []
            assert all(run.is_finished for run in instance.get_runs())


def test_a_run_that_was_killed_between_loading_and_publishing_is_not_nothing_new(
    grounds: Grounds,
) -> None:
    data = grounds.updated()
    killed = grounds.server.start(data)
    assert killed.until(BUILDING)
    killed.kill()
    paths = {
        path.relative_to(data / "landing").as_posix()
        for path in (data / "landing").rglob("*")
        if path.is_file()
    }
    with duckdb.connect(str(data / "warehouse" / "warehouse.duckdb")) as warehouse:
        ledger = warehouse.execute("select distinct landed_path from raw.loaded_files").fetchall()
    assert {path for (path,) in ledger} == paths
    seen = inspect(data / "published")
    assert seen is not None
    assert grounds.update.before is not None
    assert seen.content == grounds.update.before.content

    again = grounds.server.run(data, _AT_ONCE)

    assert "Nothing new" not in again.output
    assert LOADING not in again.began  # no file is loaded twice
    after = inspect(data / "published")
    assert after is not None
    assert after.content == grounds.update.after.content


def test_marts_that_were_half_built_by_other_rules_are_built_anew_by_the_old_ones(
    grounds: Grounds,
) -> None:
    """A killed run may have built some tables by rules that are then taken back."""
    data = grounds.copy(grounds.update.data)
    other = grounds.server.start(data, {"NORTHSTAR_WEEK_START": "sunday"})
    assert other.until(BUILDING)
    other.kill()

    with duckdb.connect(str(data / "warehouse" / "warehouse.duckdb")) as warehouse:
        assert last_built_digest(warehouse) is None


def test_two_first_runs_at_once_take_turns(grounds: Grounds) -> None:
    """Neither of them finds a Dagster home, a warehouse or a lock file."""
    data = grounds.fresh()
    assert sorted(path.name for path in data.iterdir()) == ["landing"]

    runs = [grounds.server.start(data) for _ in range(2)]

    assert [run.wait() for run in runs] == [0, 0], [run.output for run in runs]
    outputs = sorted((run.output for run in runs), key=len)
    assert "Nothing new" in outputs[0]
    assert "Published in" in outputs[1]
    after = inspect(data / "published")
    assert after is not None
    assert after.content == grounds.first.after.content
    _is_tidy(data)


# -- what was deleted ----------------------------------------------------------------------------


@pytest.mark.parametrize("with_its_log", [pytest.param(True, marks=_in_full), False])
def test_a_warehouse_that_was_deleted_is_rebuilt_from_landing(
    grounds: Grounds, with_its_log: bool
) -> None:
    """Also where the log of a killed run's last changes is still beside it."""
    data = grounds.updated()
    killed = grounds.server.start(data)
    assert killed.until(BUILDING)
    killed.kill()
    log = data / "warehouse" / "warehouse.duckdb.wal"
    assert log.exists()
    (data / "warehouse" / "warehouse.duckdb").unlink()
    if with_its_log:
        log.unlink()

    grounds.server.run(data, _AT_ONCE)

    after = inspect(data / "published")
    assert after is not None
    assert after.content == grounds.update.after.content


def test_a_published_file_that_was_deleted_comes_back_although_nothing_is_new(
    grounds: Grounds,
) -> None:
    """The link that readers open, and the file that it leads to."""
    data = grounds.copy(grounds.update.data)
    # A run that was killed after it had published: nothing is new, and yet it is told of.
    leave_for_dead(settings_of(data), "killed")
    assert "Nothing new" in grounds.server.run(data).output
    assert dead_runs(settings_of(data)) == []
    published = data / "published"
    for deleted in (published / "current", published / "northstar.duckdb"):
        (deleted if deleted.name == "current" else deleted.resolve()).unlink()

        back = grounds.server.run(data)

        assert "Nothing new" not in back.output
        after = inspect(data / "published")
        assert after is not None
        assert after.content == grounds.update.after.content


# -- the clock -----------------------------------------------------------------------------------


def _published_at(data: Path) -> datetime:
    with duckdb.connect(str(data / "published" / "northstar.duckdb"), read_only=True) as reader:
        found = reader.execute("select published_at from ops.published_at").fetchone()
    assert found is not None
    at: datetime = found[0]
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def test_a_clock_that_was_set_back_changes_no_figure_and_no_order(grounds: Grounds) -> None:
    data = grounds.updated()
    before = _published_at(data)

    back = grounds.server.start(data, _AT_ONCE, clock=timedelta(days=-3))

    assert back.wait() == 0, back.output
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(settings_of(data).dagster_home))
        with dg.DagsterInstance.get() as instance:
            (newest,) = instance.get_run_records(limit=1)
    assert newest.create_timestamp < before - timedelta(days=2)  # or nothing was tried
    after = inspect(data / "published")
    assert after is not None
    assert after.content == grounds.update.after.content
    assert before < _published_at(data) < before + timedelta(minutes=1)
    _is_tidy(data)
    # Nor is anything new once the clock is right again.
    assert "Nothing new" in grounds.server.run(data, _AT_ONCE).output


# -- a full disk ---------------------------------------------------------------------------------


def _says_that_the_disk_is_full(grounds: Grounds, output: str) -> None:
    last = output.strip().splitlines()[-1]
    assert f"The disk of {grounds.folder / 'data'} is full" in last, output
    assert "run again" in last
    assert "Traceback" not in output


def test_a_limit_to_the_size_of_files_stops_a_run_that_says_so(
    grounds: Grounds, measure: Measure
) -> None:
    size = (grounds.first.data / "warehouse" / "warehouse.duckdb").stat().st_size
    for share in (0.05, 0.1, 0.2) if measure.is_full else (0.1,):
        data = grounds.fresh()

        limited = grounds.server.start(data, largest_file=int(share * size))

        assert limited.wait() == 1, (share, limited.output)
        _says_that_the_disk_is_full(grounds, limited.output)
        assert inspect(data / "published") is None
        grounds.server.run(data, _AT_ONCE)
        after = inspect(data / "published")
        assert after is not None
        assert marts(after.content) == marts(grounds.first.after.content)


@contextmanager
def _disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A small disk of its own, for those who may mount one."""
    folder.mkdir()
    mounted = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "northstar-torture", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if shutil.which("mount")
        else None
    )
    if mounted is None or mounted.returncode != 0:
        pytest.skip(
            "Nothing can be mounted here: " + ("no mount" if not mounted else mounted.stderr)
        )
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_the_old_publication_and_the_next_run_ends_well(
    grounds: Grounds, tmp_path: Path, measure: Measure
) -> None:
    """With more and more space left, until it is enough: every step fails once for lack of it."""
    source = grounds.updated()
    failed, rounds = 0, 0
    with _disk(tmp_path / "disk", megabytes=200) as disk:
        left = 256 * 2**10
        while rounds < (40 if measure.is_full else 2):
            rounds += 1
            data = disk / f"data-{rounds}"
            shutil.copytree(source, data, symlinks=True)
            with (disk / "ballast").open("wb") as ballast:
                os.posix_fallocate(ballast.fileno(), 0, shutil.disk_usage(disk).free - left)

            full = grounds.server.start(data)
            code = full.wait()

            _is_before_or_after(inspect(data / "published"), grounds.update, left)
            (disk / "ballast").unlink()
            if code == 0:
                break
            failed += 1
            _says_that_the_disk_is_full(grounds, full.output)
            grounds.server.run(data, _AT_ONCE)
            after = inspect(data / "published")
            assert after is not None
            assert after.content == grounds.update.after.content
            _is_tidy(data)
            shutil.rmtree(data)
            left = int(left * (1.3 if measure.is_full else 5))
    assert failed >= 2

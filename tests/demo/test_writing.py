from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.demo import (
    MARKER_NAME,
    foreign_files,
    is_unfinished,
    is_vacant,
    read_marker,
    write_demo,
)
from orchestration.demo import writing as writing_module
from orchestration.demo.__main__ import main
from orchestration.demo.marker import DRAFT_NAME, Marker
from orchestration.digests import digest_of_file
from orchestration.errors import LandingError, SettingsError
from tests.demo.exports import LEARNERS, MONTHS, SEED, Demo, read_amplitude

TINY: Any = {"learners": 20, "months": 2}


def content_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): digest_of_file(path)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_options_write_the_same_bytes(demo: Demo, tmp_path: Path) -> None:
    truth = write_demo(tmp_path / "again", learners=LEARNERS, months=MONTHS, seed=SEED)
    assert content_of(tmp_path / "again") == content_of(demo.landing)
    assert truth == demo.truth


def test_another_seed_draws_other_people(tmp_path: Path) -> None:
    one = write_demo(tmp_path / "one", seed=1, **TINY)
    other = write_demo(tmp_path / "other", seed=2, **TINY)
    assert one.events != other.events
    assert content_of(tmp_path / "one") != content_of(tmp_path / "other")


def test_the_marker_lists_every_file_with_its_hash(demo: Demo) -> None:
    marker = json.loads((demo.landing / MARKER_NAME).read_text())
    assert set(marker) == {"seed", "learners", "months", "files", "truth"}
    assert (marker["seed"], marker["learners"], marker["months"]) == (SEED, LEARNERS, MONTHS)
    found = content_of(demo.landing)
    del found[MARKER_NAME]
    assert marker["files"] == found
    read = read_marker(demo.landing)
    assert read is not None
    assert read.truth == demo.truth


def test_the_period_is_that_of_the_options(tmp_path: Path) -> None:
    truth = write_demo(tmp_path, learners=30, months=3, end=date(2024, 2, 29))
    assert (truth.first_day, truth.last_day) == (date(2023, 12, 1), date(2024, 2, 29))
    assert truth.as_of == date(2024, 3, 1)
    hours = sorted(name[14:24] for name in read_amplitude(tmp_path).events)
    assert hours[0] >= "2023-11-30"
    assert hours[-1] == "2024-02-29"


@pytest.mark.parametrize("months", [1, 2, 13])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tiny_demos_hold_every_kind_of_row(tmp_path: Path, seed: int, months: int) -> None:
    truth = write_demo(tmp_path, learners=20, months=months, seed=seed)
    for name in ("same_uuid", "client_retry", "quarantined", "not_in_plan", "excluded"):
        assert getattr(truth.events, name) > 0, name
    assert set(truth.reports.by_decision) == {
        "counted",
        "duplicate_report",
        "invalid",
        "not_credited",
        "within_12_months",
    }
    assert truth.outcomes.credit_conflicts > 0
    lines = [line for found in read_amplitude(tmp_path).events.values() for line in found]
    assert (
        len({user for line in lines for user in re.findall(r'"user_id":"(stu_\d+)"', line)}) == 20
    )


def test_a_folder_with_own_exports_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "surveys" / "own.csv"
    own.parent.mkdir()
    own.write_text("a,b\n")
    with pytest.raises(LandingError, match=r"surveys/own\.csv.*NORTHSTAR_LANDING_DIR"):
        write_demo(tmp_path, **TINY)
    assert content_of(tmp_path) == {"surveys/own.csv": digest_of_file(own)}


def test_a_second_demo_is_refused_and_names_the_first(tmp_path: Path) -> None:
    write_demo(tmp_path, seed=5, **TINY)
    before = content_of(tmp_path)
    with pytest.raises(LandingError, match=r"20 learners, 2 months, seed 5.*make clean"):
        write_demo(tmp_path, seed=6, **TINY)
    assert content_of(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"learners": 19}, "--learners is 19, and must be from 20"),
        ({"learners": 2_000_000}, "--learners is 2000000"),
        ({"months": 0}, "--months is 0"),
        ({"months": 61}, "--months is 61"),
        ({"end": date(1999, 1, 1)}, "--end is 1999-01-01"),
    ],
)
def test_options_out_of_range_are_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, int | date], named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        write_demo(tmp_path / "landing", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "landing").exists()


class Killed(BaseException):
    """Stands for a SIGKILL: nothing may catch it."""


def test_a_run_killed_while_drafting_leaves_a_vacant_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(writing_module, "write_marker", die)
    with pytest.raises(Killed):
        write_demo(tmp_path, **TINY)
    monkeypatch.undo()
    assert is_unfinished(tmp_path)
    assert is_vacant(tmp_path)
    assert all(path.name == DRAFT_NAME for path in tmp_path.iterdir())
    write_demo(tmp_path, **TINY)
    assert not is_unfinished(tmp_path)
    assert not is_vacant(tmp_path)


def test_a_run_killed_while_moving_files_is_started_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole"
    write_demo(whole, seed=9, **TINY)
    landing = tmp_path / "landing"
    replace = Path.replace
    moved: list[Path] = []

    def die_at_the_tenth(self: Path, target: Path) -> Path:
        if DRAFT_NAME in self.parts:
            if len(moved) == 10:
                raise Killed
            moved.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", die_at_the_tenth)
    with pytest.raises(Killed):
        write_demo(landing, seed=8, **TINY)
    monkeypatch.undo()
    assert sum(path.exists() for path in moved) == 10
    assert is_unfinished(landing)
    assert is_vacant(landing)
    assert not foreign_files(landing)

    # Even with other options: nothing of the first run is left.
    write_demo(landing, seed=9, **TINY)
    assert content_of(landing) == content_of(whole)


def test_own_files_beside_an_unfinished_demo_are_not_overrun(tmp_path: Path) -> None:
    write_demo(tmp_path, **TINY)
    (tmp_path / DRAFT_NAME).mkdir()
    (tmp_path / "own.csv").write_text("a\n")
    assert not is_vacant(tmp_path)
    with pytest.raises(LandingError):
        write_demo(tmp_path, **TINY)
    assert (tmp_path / "own.csv").exists()


# -- the command -----------------------------------------------------------------------------------


def test_the_command_writes_into_the_landing_folder_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NORTHSTAR_LANDING_DIR", str(tmp_path / "elsewhere"))
    options = ["--learners", "25", "--months", "1", "--seed", "4", "--end", "2026-03-31"]
    assert main(options) == 0
    marker = read_marker(tmp_path / "elsewhere")
    assert isinstance(marker, Marker)
    assert (marker.learners, marker.months, marker.seed) == (25, 1, 4)
    assert marker.truth.last_day == date(2026, 3, 31)
    said = capsys.readouterr().out
    assert "25 learners, 2026-03-01 to 2026-03-31" in said
    assert f"{marker.truth.events.distinct:,} events" in said


def test_the_command_says_in_a_sentence_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NORTHSTAR_LANDING_DIR", str(tmp_path))
    (tmp_path / "own.csv").write_text("a\n")
    assert main(["--learners", "20"]) == 1
    said = capsys.readouterr().err
    assert "own.csv" in said
    assert "Traceback" not in said
    assert main(["--learners", "3"]) == 1
    with pytest.raises(SystemExit):
        main(["--end", "yesterday"])


def test_the_defaults_are_18_months_of_5000_learners() -> None:
    from orchestration.demo.__main__ import _parser

    options = _parser().parse_args([])
    assert (options.learners, options.months, options.end) == (5_000, 18, date(2026, 6, 30))


def test_nothing_else_is_left_in_the_folder(demo: Demo) -> None:
    assert {path.name for path in demo.landing.iterdir()} == {
        MARKER_NAME,
        "amplitude",
        "coaches",
        "contracts",
        "satismeter",
        "surveys",
        "zendesk",
    }

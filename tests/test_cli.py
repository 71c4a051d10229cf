"""The command line: sentences instead of tracebacks."""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
import pytest
from pydantic import SecretStr

from orchestration.cli import _COMMANDS, _demo_written_meanwhile, main
from orchestration.demo import read_marker
from orchestration.demo.__main__ import main as write_demo_exports
from orchestration.display import Display
from orchestration.errors import LandingError
from orchestration.home import prepare_home
from orchestration.lock import rebuild_lock
from orchestration.publishing import published_file
from orchestration.secret import pseudonym_key
from orchestration.settings import REPOSITORY, Settings
from tests.signals import ask_for_long, raised_by_a_signal


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("NORTHSTAR_DBT_TARGET_DIR", str(tmp_path / "target"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_a_wrong_setting_is_told_in_a_sentence(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert data.is_dir()
    monkeypatch.setenv("NORTHSTAR_SECRET", "too short")

    assert main(["run"]) == 1

    errors = capsys.readouterr().err
    assert "NORTHSTAR_SECRET" in errors
    assert "too short" not in errors
    assert "Traceback" not in errors


def test_a_rebuild_that_holds_the_lock_is_named(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert data.is_dir()
    monkeypatch.setenv("NORTHSTAR_LOCK_WAIT_SECONDS", "0")

    with rebuild_lock(Settings(), "the-other-run"):
        assert main(["run"]) == 1
        assert main(["clean"]) == 1

    assert capsys.readouterr().err.count("run the-other-run") == 2
    assert not (data / "landing").exists()


def test_what_is_wrong_with_the_demo_is_told_and_an_error_meanwhile_ends_it(data: Path) -> None:
    settings = Settings()
    with Display() as display, rebuild_lock(settings, "a run"):
        with (
            pytest.raises(ZeroDivisionError),
            _demo_written_meanwhile(settings, display),
        ):
            raise ZeroDivisionError
        assert read_marker(settings.landing) is None

        settings.landing.mkdir(exist_ok=True)
        (settings.landing / "own.csv").write_text("id\n1\n")
        with (
            pytest.raises(LandingError, match="that the demo did not write"),
            _demo_written_meanwhile(settings, display),
        ):
            pass
    assert data.is_dir()


@pytest.mark.parametrize("secret", [None, "a secret of the school"])
@pytest.mark.parametrize("is_there", [True, False])
def test_no_demo_is_written_where_own_exports_were(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    secret: str | None,
    is_there: bool,
) -> None:
    """An empty landing folder is then one that is not mounted, whatever else is gone."""
    pseudonym_key(Settings(secret=SecretStr("a secret of the school")), is_demo=False)
    if secret is not None:
        monkeypatch.setenv("NORTHSTAR_SECRET", secret)
    landing = data / "landing"
    if is_there:
        landing.mkdir()

    assert main(["run"]) == 1
    assert write_demo_exports([]) == 1

    told = capsys.readouterr().err
    assert told.count(f"{landing} holds no exports, but") == 2
    assert told.count("is the disk mounted?") == 2
    assert "NORTHSTAR_DATA_DIR" in told
    assert "Traceback" not in told
    assert landing.exists() == is_there
    assert not list(landing.rglob("*"))
    assert not (data / "published").exists()


def test_the_home_gets_the_configuration_of_the_repository(data: Path) -> None:
    wanted = (REPOSITORY / "dagster.yaml").read_text()

    home = prepare_home(Settings())
    assert home == data / "dagster"
    assert (home / "dagster.yaml").read_text() == wanted

    (home / "dagster.yaml").write_text("telemetry: {enabled: true}")
    prepare_home(Settings())
    assert (home / "dagster.yaml").read_text() == wanted


def test_a_line_of_a_landing_file_is_printed(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "landing" / "surveys").mkdir(parents=True)
    (data / "landing" / "surveys" / "a.csv").write_text("id,score\r\n1,9\r\n2,x\r\n")

    assert main(["show-line", "surveys/a.csv", "3"]) == 0
    assert capsys.readouterr().out == "2,x\n"

    assert main(["show-line", "surveys/a.csv", "4"]) == 1
    assert "has no line 4" in capsys.readouterr().err


def test_cleaning_an_empty_folder_is_no_error(data: Path) -> None:
    assert main(["clean"]) == 0
    assert [path.name for path in data.rglob("*") if path.is_file()] == ["rebuild.lock"]


@pytest.mark.parametrize(
    ("is_published", "state"), [(False, "as it was"), (True, "the new one, which was complete")]
)
def test_a_stop_while_duckdb_works_is_told_in_a_sentence_and_alerts_nobody(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_published: bool,
    state: str,
) -> None:
    def work(settings: Settings, _: argparse.Namespace) -> None:
        if is_published:
            published_file(settings).parent.mkdir()
            published_file(settings).touch()
        with duckdb.connect() as connection:
            ask_for_long(connection)

    monkeypatch.setattr("orchestration.cli._COMMANDS", {**_COMMANDS, "run": work})
    with raised_by_a_signal(KeyboardInterrupt):
        assert main(["run"]) == 130

    told = capsys.readouterr().err
    assert told.startswith(f"Stopped. The published file is {state}")
    assert len(told.splitlines()) == 1
    assert not (data / "alerts").exists()

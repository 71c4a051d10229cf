"""`make run` alerts by itself: cron may have called it, and no daemon may be there."""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration import cli
from orchestration.lock import rebuild_lock
from orchestration.settings import Settings
from tests.alerting.servers import Web, web_server


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NORTHSTAR_LOCK_WAIT_SECONDS", "0")
    with web_server() as web:
        monkeypatch.setenv("NORTHSTAR_ALERT_WEBHOOK", web.address)
        yield web


def test_a_run_that_cannot_begin_reaches_a_person(web: Web) -> None:
    with rebuild_lock(Settings(), "the-other-run"):
        assert cli.main(["run"]) == 1

    (body,) = web.got
    assert "- LockedError: Another rebuild is running: run the-other-run" in body["text"]


def test_a_wrong_setting_reaches_a_person_without_its_value(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NORTHSTAR_SECRET", "too short")

    assert cli.main(["run"]) == 1

    (body,) = web.got
    assert "- SettingsError: A setting is wrong. NORTHSTAR_SECRET: " in body["text"]
    assert "too short" not in body["text"]


def test_an_error_that_nobody_expected_reaches_a_person_by_its_kind(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of anna")

    monkeypatch.setattr(cli, "is_vacant", broken)

    with pytest.raises(ZeroDivisionError):
        cli.main(["run"])

    (body,) = web.got
    assert "- ZeroDivisionError\n" in body["text"]
    assert "anna" not in body["text"]


def test_somebody_who_stops_a_run_knows_it(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "is_vacant", stopped)

    assert cli.main(["run"]) == 130
    assert web.asked == 0


def test_what_keeps_alerts_from_being_told_hides_no_error_and_changes_no_exit_code(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with rebuild_lock(Settings(), "the-other-run"):
        web.status = 500
        assert cli.main(["run"]) == 1
        monkeypatch.setenv("NORTHSTAR_ALERT_WEBHOOK", "no address")
        assert cli.main(["run"]) == 1

    errors = capsys.readouterr().err
    assert web.asked == 3
    assert "An alert was not delivered by webhook (HTTP 500): tried again later." in errors
    assert "Nobody was alerted: A setting is wrong. NORTHSTAR_ALERT_WEBHOOK: " in errors
    assert errors.count("Another rebuild is running: run the-other-run") == 2
    log = tmp_path / "alerts" / "alerts.log"
    assert "LockedError" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_full_disk_reaches_a_person(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of all failures it is the one that nothing can be written about."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cli, "is_vacant", full)
    (tmp_path / "alerts").mkdir()
    (tmp_path / "alerts" / "alerts.log").symlink_to("/dev/full")

    assert cli.main(["run"]) == 1

    (body,) = web.got
    assert "- DiskFullError" in body["text"]
    told = capsys.readouterr().err
    assert "cannot be used (No space left on device); delivered directly by webhook." in told

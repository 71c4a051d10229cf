"""Alerts: told once, never lost, and nobody's business but the one's who reads them."""

from __future__ import annotations

import errno
import json
import smtplib
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestration.alerting import (
    Alert,
    FailedCheck,
    RunEnd,
    UnwrittenError,
    channels,
    deliver,
    failed_run,
    killed_run,
    log_file,
    stale_exports,
    tell,
    tell_of_checks,
)
from orchestration.errors import SettingsError
from orchestration.settings import AlertSettings, read_alert_settings
from tests.alerting.servers import Mailbox, Web, mail_server, web_server

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALERT = Alert(key="run:1", severity="error", title="northstar: a run failed", details=("run 1",))


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as web:
        yield web


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as mailbox:
        yield mailbox


def settings(folder: Path, **others: object) -> AlertSettings:
    return AlertSettings.model_validate({"data_dir": folder, "timeout_seconds": 20, **others})


def with_web(folder: Path, web: Web, **others: object) -> AlertSettings:
    return settings(folder, webhook=web.address, **others)


def with_mail(folder: Path, mailbox: Mailbox, **others: object) -> AlertSettings:
    return settings(
        folder,
        email_to="ops@example.org, lead@example.org",
        email_from="northstar@example.org",
        smtp_host="127.0.0.1",
        smtp_port=mailbox.port,
        smtp_security="none",
        **others,
    )


def log_lines(settings: AlertSettings) -> list[str]:
    path = log_file(settings)
    return path.read_text().splitlines() if path.exists() else []


def test_without_settings_an_alert_goes_to_the_log_that_only_its_owner_reads(
    tmp_path: Path,
) -> None:
    own = settings(tmp_path)

    assert tell(own, [ALERT], NOW) == [ALERT]
    assert deliver(own, NOW) == []

    assert log_lines(own) == ["2026-03-01T06:00:00+00:00 ERROR northstar: a run failed | run 1"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in own.folder.iterdir()} == {0o600}
    assert stat.S_IMODE(own.folder.stat().st_mode) == 0o700


def test_an_alert_is_told_once_by_whoever_sees_it(tmp_path: Path, web: Web) -> None:
    own = with_web(tmp_path, web)

    for minute in range(3):
        tell(own, [ALERT, killed_run("1")], NOW + minute * MINUTE)
        deliver(own, NOW + minute * MINUTE)

    assert [body["text"].splitlines()[0] for body in web.got] == ["northstar: a run failed"]
    assert len(log_lines(own)) == 1


def test_a_webhook_gets_text_for_a_chat_or_fields_for_a_program(tmp_path: Path, web: Web) -> None:
    alert = Alert(key="k", severity="warning", title="<!channel> & more", details=("a\nb",))
    for kind in ("text", "json"):
        own = with_web(tmp_path / kind, web, webhook_format=kind)
        tell(own, [alert], NOW)
        deliver(own, NOW)

    chat, program = web.got
    assert chat.keys() == {"text"}
    assert chat["text"].startswith("&lt;!channel&gt; &amp; more\n- a b\n- on ")
    assert program["text"] == chat["text"]
    assert (program["title"], program["details"]) == ("<!channel> & more", ["a b"])
    assert (program["severity"], program["key"], program["source"]) == ("warning", "k", "northstar")


@pytest.mark.parametrize("status", [500, 404, 429, 302])
def test_what_a_webhook_refuses_is_delivered_when_it_takes_it_again(
    tmp_path: Path, web: Web, status: int
) -> None:
    own = with_web(tmp_path, web)
    web.status = status
    tell(own, [ALERT], NOW)

    (failure,) = deliver(own, NOW)
    assert (failure.channel, failure.reason, failure.is_given_up) == (
        "webhook",
        f"HTTP {status}",
        False,
    )
    web.status = 200
    assert deliver(own, NOW) == []  # not yet
    assert web.asked == 1
    assert deliver(own, NOW + MINUTE) == []
    assert len(web.got) == 1
    deliver(own, NOW + 90 * MINUTE)
    assert len(web.got) == 1


def test_a_webhook_that_says_nothing_is_not_waited_for(tmp_path: Path, web: Web) -> None:
    own = with_web(tmp_path, web, timeout_seconds=0.2)
    web.silent_seconds = 8
    tell(own, [ALERT], NOW)

    began = datetime.now(UTC)
    (failure,) = deliver(own, NOW)

    assert datetime.now(UTC) - began < timedelta(seconds=7)
    assert failure.reason == "no answer within 0.2 s"


def test_what_cannot_be_delivered_is_tried_at_growing_distances_and_given_up_after_two_days(
    tmp_path: Path, web: Web
) -> None:
    own = with_web(tmp_path, web)
    web.status = 500
    tell(own, [ALERT], NOW)

    failures = [deliver(own, NOW + minute * MINUTE) for minute in range(0, 3 * 24 * 60, 10)]

    told = [failure for tick in failures for failure in tick]
    assert [failure.is_given_up for failure in told] == [False] * (len(told) - 1) + [True]
    assert 48 <= len(told) <= 56
    assert web.asked == len(told)
    assert "given up" in log_lines(own)[-1]
    assert web.address not in log_file(own).read_text()


def test_the_command_line_tries_more_than_once(tmp_path: Path, web: Web) -> None:
    own = with_web(tmp_path, web)
    web.status = 503
    tell(own, [ALERT], NOW)

    assert len(deliver(own, NOW, attempts=3, pause_seconds=0)) == 1
    assert web.asked == 3


def test_a_channel_that_fails_does_not_keep_the_other_from_being_told(
    tmp_path: Path, web: Web, mailbox: Mailbox
) -> None:
    own = with_mail(tmp_path, mailbox, webhook=web.address)
    web.status = 500
    tell(own, [ALERT], NOW)

    assert [failure.channel for failure in deliver(own, NOW)] == ["webhook"]
    assert len(mailbox.got) == 1
    web.status = 200
    deliver(own, NOW + MINUTE)
    assert (len(web.got), len(mailbox.got)) == (1, 1)


def test_an_email_reaches_every_recipient(tmp_path: Path, mailbox: Mailbox) -> None:
    own = with_mail(tmp_path, mailbox)
    hostile = Alert(key="k", severity="error", title="a\r\nBcc: x@example.org", details=("b",))

    tell(own, [hostile], NOW)
    assert deliver(own, NOW) == []

    ((recipients, text),) = mailbox.got
    assert recipients == ["ops@example.org", "lead@example.org"]
    assert "Subject: [error] a Bcc: (an address)\r\n" in text
    assert "From: northstar@example.org\r\n" in text
    assert "\r\n- b\r\n" in text


def test_a_mail_server_that_refuses_or_says_nothing_is_tried_again(
    tmp_path: Path, mailbox: Mailbox
) -> None:
    own = with_mail(tmp_path, mailbox)
    mailbox.takes = False
    tell(own, [ALERT], NOW)
    assert [failure.reason for failure in deliver(own, NOW)] == ["SMTPDataError 451"]

    hasty = with_mail(tmp_path, mailbox, timeout_seconds=0.3)
    mailbox.silent_seconds = 8
    (failure,) = deliver(hasty, NOW + MINUTE)
    assert failure.reason == "no answer within 0.3 s"

    mailbox.silent_seconds, mailbox.takes = 0, True
    assert deliver(own, NOW + 10 * MINUTE) == []
    assert len(mailbox.got) == 1


def test_silence_is_named_alike_whether_the_socket_or_the_whole_attempt_ends_first(
    tmp_path: Path, web: Web, mailbox: Mailbox
) -> None:
    web.silent_seconds = mailbox.silent_seconds = 2
    own = with_mail(tmp_path, mailbox, webhook=web.address, timeout_seconds=0.1)

    for attempt in (channels.post, channels.mail):
        with pytest.raises(OSError) as raised:  # here the socket's time-out alone
            attempt(own, ALERT)
        assert channels.reason(raised.value, 0.1) == "no answer within 0.1 s"


def test_a_server_that_hangs_up_is_not_called_silent() -> None:
    assert channels.reason(smtplib.SMTPServerDisconnected(), 1) == "SMTPServerDisconnected"


def test_a_server_that_is_not_there_is_named_by_the_kind_of_failure(
    tmp_path: Path, mailbox: Mailbox
) -> None:
    own = with_mail(tmp_path, mailbox, webhook="http://127.0.0.1:1/services/geheim")
    tell(own, [ALERT], NOW)

    (failure,) = deliver(own, NOW)

    assert str(failure) == (
        "An alert was not delivered by webhook (ConnectionRefusedError): tried again later."
    )
    assert "geheim" not in log_file(own).read_text() + repr(own)


def test_a_damaged_memory_is_begun_anew_and_said(tmp_path: Path) -> None:
    own = settings(tmp_path)
    own.folder.mkdir()
    (own.folder / "memory.json").write_text("{")

    assert tell(own, [ALERT], NOW) == [ALERT]

    assert "is damaged; it is begun anew" in log_lines(own)[0]
    assert tell(own, [ALERT], NOW) == []


def test_a_memory_that_cannot_be_read_now_is_not_forgotten(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = with_web(tmp_path, web)
    tell(own, [ALERT], NOW)
    new = Alert(key="run:2", severity="error", title="northstar: a run failed", details=("run 2",))

    def fail(_: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fail)
        with pytest.raises(UnwrittenError, match="delivered directly by webhook"):
            tell(own, [new], NOW)
        assert deliver(own, NOW) == []

    assert tell(own, [ALERT, new], NOW) == [new]
    assert deliver(own, NOW) == []
    assert sorted(body["text"].splitlines()[-2] for body in web.got) == ["- run 1", "- run 2"]


def test_an_alert_that_no_disk_takes_reaches_every_channel_once(
    tmp_path: Path, web: Web, mailbox: Mailbox
) -> None:
    own = with_mail(tmp_path, mailbox, webhook=web.address)
    own.folder.mkdir()
    log_file(own).symlink_to("/dev/full")

    for minute in range(3):
        with pytest.raises(UnwrittenError) as error:
            tell(own, [ALERT], NOW + minute * MINUTE)
        told = "delivered directly by webhook; delivered directly by e-mail"
        assert (told if minute == 0 else "nobody was told") in str(error.value)
    assert (len(web.got), len(mailbox.got)) == (1, 1)

    # There is room again: what was delivered is noted, and not delivered once more.
    log_file(own).unlink()
    assert tell(own, [ALERT], NOW + 5 * MINUTE) == [ALERT]
    assert deliver(own, NOW + 5 * MINUTE) == []
    assert (len(web.got), len(mailbox.got)) == (1, 1)
    assert len(log_lines(own)) == 1
    assert tell(own, [ALERT], NOW + 6 * MINUTE) == []


def test_on_a_full_disk_only_what_was_not_taken_is_delivered_later(
    tmp_path: Path, web: Web, mailbox: Mailbox
) -> None:
    own = with_mail(tmp_path, mailbox, webhook=web.address)
    own.folder.mkdir()
    log_file(own).symlink_to("/dev/full")
    web.status = 500
    with pytest.raises(UnwrittenError, match=r"not delivered by webhook \(HTTP 500\)"):
        tell(own, [ALERT], NOW)

    log_file(own).unlink()
    web.status = 200
    tell(own, [ALERT], NOW)
    deliver(own, NOW)

    assert (len(web.got), len(mailbox.got)) == (1, 1)


def test_a_memory_that_no_disk_takes_keeps_nobody_from_being_told(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = with_web(tmp_path, web)
    tell(own, [ALERT], NOW)  # and owed, when the disk becomes full
    worse = FailedCheck("volume", is_error=True)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("orchestration.alerting.outbox.write_file", full)
        for _ in range(2):
            with pytest.raises(UnwrittenError):
                tell_of_checks(own, RunEnd("2", succeeded=True, checks=[worse]), NOW)
            # What was told before is no news.
            assert tell(own, [ALERT], NOW) == []
            assert deliver(own, NOW) == []
        assert [body["text"].splitlines()[0] for body in web.got] == [
            "northstar: 1 check warns",
            "northstar: a run failed",
        ]

    tell_of_checks(own, RunEnd("2", succeeded=True, checks=[worse]), NOW + MINUTE)
    assert deliver(own, NOW + MINUTE) == []
    assert len(web.got) == 2


def test_what_is_owed_does_not_wait_for_a_clock_that_was_set_back(tmp_path: Path, web: Web) -> None:
    own = with_web(tmp_path, web)
    web.status = 500
    tell(own, [ALERT], NOW)
    deliver(own, NOW)
    web.status = 200

    deliver(own, NOW - timedelta(days=3))

    assert len(web.got) == 1


def checks(**found: float) -> RunEnd:
    return RunEnd(
        f"run of {found}",
        succeeded=True,
        checks=[
            FailedCheck(name, is_error=False, figures={"found": count})
            for name, count in found.items()
        ],
    )


def test_a_check_is_told_when_it_warns_first_or_gets_worse_and_not_every_night(
    tmp_path: Path,
) -> None:
    own = settings(tmp_path)

    def night(**found: float) -> list[tuple[str, ...]]:
        return [alert.details[1:] for alert in tell_of_checks(own, checks(**found), NOW)]

    assert night(volume=1, drift=3) == [
        ("check drift warns (found 3)", "check volume warns (found 1)")
    ]
    assert night(drift=3, volume=1) == []
    assert night(drift=4, volume=1) == [("check drift warns (found 4)",)]
    assert night(drift=2) == []
    assert night(drift=2, volume=1) == [("check volume warns (found 1)",)]


def test_a_failed_run_tells_its_cause_only_where_the_cause_quotes_nobody() -> None:
    dagster = ("DagsterExecutionStepExecutionError", "Error occurred while executing op:")
    safe = RunEnd("1", succeeded=False, errors=[dagster, ("SecretError", "is not set")])
    unsafe = RunEnd("1", False, [dagster, ("ConversionException", "'anna' is no number")])
    contract = RunEnd("1", False, [("ContractError", "surveys/anna.csv: no column Anna")])

    assert "SecretError: is not set" in failed_run(safe).details
    assert "ConversionException" in failed_run(unsafe).details
    assert "ContractError" in failed_run(contract).details
    assert "nna" not in failed_run(unsafe).text + failed_run(contract).text


def test_a_failed_run_names_the_checks_that_failed() -> None:
    broken = [FailedCheck(f"c{number:02}", is_error=number % 2 == 0) for number in range(30)]

    details = failed_run(RunEnd("1", succeeded=False, checks=broken)).details

    assert details[1:3] == ("check c00 failed", "check c02 failed")
    assert "and 10 more" in details


def test_addresses_never_leave_the_machine(tmp_path: Path, web: Web) -> None:
    own = with_web(tmp_path, web, webhook_format="json")
    tell(own, [Alert(key="k", severity="error", title="of <anna.b+c@example.org>")], NOW)
    deliver(own, NOW)

    assert "example.org" not in json.dumps(web.got) + log_file(own).read_text()


def test_exports_are_stale_from_the_limit_on_and_told_once_for_each_standstill() -> None:
    limit = timedelta(hours=72)
    newest = {"Amplitude": NOW - limit, "Zendesk": NOW - limit - MINUTE}

    (alert,) = stale_exports(newest, NOW, limit)

    assert alert.title == (
        "northstar: Zendesk is stale, the newest export is of 2026-02-26 05:59 UTC"
    )
    assert stale_exports(newest, NOW, timedelta(0)) == []
    later = stale_exports(newest, NOW + timedelta(hours=5), limit)
    assert [found.key == alert.key for found in later] == [False, True]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WEBHOOK", "ftp://geheim", "NORTHSTAR_ALERT_WEBHOOK"),
        ("WEBHOOK", "https://geheim:port/", "NORTHSTAR_ALERT_WEBHOOK"),
        ("WEBHOOK", "https://geheim/\r\nX: y", "NORTHSTAR_ALERT_WEBHOOK"),
        ("EMAIL_TO", "geheim", "NORTHSTAR_ALERT_EMAIL_TO"),
        ("EMAIL_TO", "a@geheim", "NORTHSTAR_ALERT_SMTP_HOST"),
        ("SMTP_PASSWORD", "geheim", "NORTHSTAR_ALERT_SMTP_USER"),
        ("STALE_HOURS", "-1", "NORTHSTAR_ALERT_STALE_HOURS"),
    ],
)
def test_a_wrong_setting_is_named_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"NORTHSTAR_ALERT_{name}", value)

    with pytest.raises(SettingsError, match=said) as error:
        read_alert_settings()

    assert "geheim" not in str(error.value)


def test_a_password_does_not_travel_readable() -> None:
    with pytest.raises(ValidationError, match="would send the password readable"):
        AlertSettings(smtp_user="u", smtp_security="none")

"""What the checks of loaded rows say, and how badly they take it."""

from __future__ import annotations

from datetime import date, datetime

import dagster as dg
import pytest

from orchestration.defs.ingestion import checks as judging
from orchestration.loading import checks


def named(result: dg.AssetCheckResult) -> str:
    return str(result.metadata["named"].value)


def test_unknown_fields_warn_and_are_named() -> None:
    result = judging.schema_drift(
        [
            checks.UnknownField("amplitude_events", "event_properties.mood", 1_200, True),
            checks.UnknownField("surveys", "Shoe size", 3, False),
        ]
    )

    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert named(result) == (
        "- amplitude_events: event_properties.mood (1,200 in a sample)\n- surveys: Shoe size (3)"
    )


def test_missing_hours_warn_with_the_longest_gap_first_and_allow_for_quiet_nights() -> None:
    result = judging.export_hours(
        [
            checks.Gap("1", datetime(2024, 3, 1, 2), datetime(2024, 3, 1, 2), 1),
            checks.Gap("2", datetime(2024, 3, 1, 2), datetime(2024, 3, 1, 4), 3),
        ]
    )

    assert result.severity == dg.AssetCheckSeverity.WARN
    assert result.metadata["missing_hours"].value == 4
    assert named(result).startswith("- project 2: 2024-03-01 02:00 to 2024-03-01 04:59 UTC (3 h)")
    assert result.description is not None
    assert "Nights without events have none either" in result.description


def test_days_between_two_satismeter_exports_warn_and_are_named() -> None:
    result = judging.satismeter_days([checks.MissingDays(date(2026, 1, 31), date(2026, 2, 13), 14)])

    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert result.metadata["missing_days"].value == 14
    assert named(result) == "- 2026-01-31 to 2026-02-13 (14 days)"
    assert judging.satismeter_days([]).passed


@pytest.mark.parametrize(
    ("rows", "usual", "weeks", "passed"),
    [
        (100, 100.0, 8, True),
        (50, 100.0, 8, True),
        (49, 100.0, 8, False),
        (200, 100.0, 8, True),
        (201, 100.0, 8, False),
        (1, 100.0, 1, True),
        (1, None, 0, True),
        (1, 99.0, 8, True),
    ],
)
def test_the_newest_day_may_have_half_to_double_the_usual_rows(
    rows: int, usual: float | None, weeks: int, *, passed: bool
) -> None:
    result = judging.volume([checks.Volume("1", date(2024, 3, 1), 9, rows, usual, weeks)])

    assert result.passed is passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert result.metadata["newest_day_rows"].value == rows


def test_too_many_quarantined_rows_are_an_error_and_a_few_are_not() -> None:
    shares = [checks.QuarantinedShare("surveys", 40, 3), checks.QuarantinedShare("calls", 100, 5)]

    result = judging.quarantine(shares, 0.05)

    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert named(result) == "- surveys: 3 of 40 rows (7.5%)"
    assert judging.quarantine(shares, 0.075).passed


def test_a_load_with_too_many_bad_rows_is_an_error_that_says_why_and_where() -> None:
    shares = [checks.QuarantinedShare("surveys", 40, 30, "0123456789")]
    reasons = [
        checks.QuarantineReason("surveys", "has 2 fields where 9 are expected", 29, 2, "a.csv", 5),
        checks.QuarantineReason("surveys", "holds no answer", 1, 1, "a.csv", 9),
    ]

    result = judging.quarantine(shares, 0.05, reasons)

    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert named(result) == (
        "- surveys: 30 of 40 rows (75.0%) of load 01234567, most of them: has 2 fields where 9 are "
        "expected (29 in 2 files, such as a.csv line 5)"
    )


def test_any_quarantined_row_warns_with_its_reason_and_place() -> None:
    result = judging.quarantined_rows(
        [checks.QuarantineReason("surveys", "holds no answer", 1, 1, "a.csv", 9)]
    )

    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert named(result) == "- surveys: holds no answer (1 in 1 file, such as a.csv line 9)"
    assert judging.quarantined_rows([]).passed


def test_a_ledger_that_does_not_add_up_is_an_error() -> None:
    result = judging.ledger([checks.Imbalance("a.json", 10, 9)])

    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert judging.ledger([]).passed


def test_files_that_were_not_read_warn_with_their_reason() -> None:
    result = judging.read([checks.UnreadFile("notes.docx", "unrecognised", "rename it")])

    assert result.severity == dg.AssetCheckSeverity.WARN
    assert named(result) == "- notes.docx: unrecognised, rename it"


def test_a_long_list_is_cut_but_its_count_is_not() -> None:
    result = judging.read([checks.UnreadFile(f"{n}", "unreadable", "x") for n in range(100)])

    assert result.metadata["found"].value == 100
    assert named(result).endswith("- … 70 more")


def test_what_is_an_error_blocks_the_models() -> None:
    blocking = {spec.name for spec in judging.raw_checks.check_specs if spec.blocking}

    assert blocking == {"few_rows_are_quarantined", "ledger_adds_up", "exports_are_of_the_past"}


def test_implausible_numbers_warn_with_survey_column_and_number() -> None:
    result = judging.numbers([checks.ImplausibleAnswers("coders", "salary", 62, 1_343)])

    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert named(result) == "- coders: salary (62 of 1,343)"
    assert result.metadata["implausible_answers"].value == 62
    assert judging.numbers([]).passed


@pytest.mark.parametrize(
    ("moves_as_of", "severity"),
    [(True, dg.AssetCheckSeverity.ERROR), (False, dg.AssetCheckSeverity.WARN)],
)
def test_exports_of_the_future_stop_the_run_where_they_would_move_the_as_of(
    moves_as_of: bool, severity: dg.AssetCheckSeverity
) -> None:
    found = [checks.FutureExport("amplitude/a.json.gz", datetime(2199, 12, 31, 23, 59))]

    result = judging.past(found, moves_as_of=moves_as_of)

    assert (result.passed, result.severity) == (False, severity)
    assert named(result) == "- amplitude/a.json.gz: 2199-12-31 23:59 UTC"
    assert "NORTHSTAR_AS_OF" in str(result.description)
    assert judging.past([], moves_as_of=moves_as_of).passed

"""Checks of what was loaded. Errors stop the run; warnings name what somebody should look at."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.defs.conventions import WAREHOUSE_POOL
from orchestration.defs.ingestion.tables import raw_key
from orchestration.defs.run import RebuildRun
from orchestration.loading import checks

_MOST_NAMED = 30
# Half or double of the usual is worth a look. What is usual takes some weeks to know, and a few
# rows are half or double by chance.
_TOO_FEW, _TOO_MANY = 0.5, 2.0
_WEEKS_TO_JUDGE = 2
_ROWS_TO_JUDGE = 100
# Clocks may be wrong by hours, or set back by days, without an export being of another time.
_CLOCKS_APART = timedelta(days=7)

SCHEMA_DRIFT = dg.AssetCheckSpec(
    "schema_drift",
    asset=raw_key("unknown_fields"),
    description="No export holds a field or event type that no contract names.",
)
EXPORT_HOURS = dg.AssetCheckSpec(
    "export_hours_are_complete",
    asset=raw_key("events"),
    description="Each Amplitude project has a file for every hour from its first to its last. "
    "Amplitude writes none for an hour without events, so a quiet night is a gap, too.",
)
SATISMETER_DAYS = dg.AssetCheckSpec(
    "satismeter_exports_leave_no_gap",
    asset=raw_key("satismeter_responses"),
    description="Each Satismeter export begins before the one before it ends. It holds the last "
    f"{checks.SATISMETER_WINDOW_DAYS} days unless it is asked for more: one that comes late leaves "
    "days out.",
)
VOLUME = dg.AssetCheckSpec(
    "volume_is_usual",
    asset=raw_key("events"),
    description="The newest day has between half and double the rows of that weekday's median.",
)
QUARANTINE = dg.AssetCheckSpec(
    "few_rows_are_quarantined",
    asset=raw_key("quarantined_rows"),
    description="No source, and no load of one with at least "
    f"{checks.FEWEST_OF_A_LOAD} unreadable rows, has a larger share of them than "
    "NORTHSTAR_MAX_QUARANTINED_SHARE.",
    blocking=True,
)
QUARANTINE_EMPTY = dg.AssetCheckSpec(
    "no_row_is_quarantined",
    asset=raw_key("quarantined_rows"),
    description="Every row of every export can be read; names the reasons, and where each is.",
)
LEDGER = dg.AssetCheckSpec(
    "ledger_adds_up",
    asset=raw_key("loaded_files"),
    description="Of every file, rows in = loaded + duplicates + quarantined + not in plan + "
    "erased.",
    blocking=True,
)
READ = dg.AssetCheckSpec(
    "files_are_read",
    asset=raw_key("loaded_files"),
    description="Every file of the landing folder is of a known kind and can be read.",
)
PAST = dg.AssetCheckSpec(
    "exports_are_of_the_past",
    asset=raw_key("loaded_files"),
    description="No export holds a time of export that is yet to come. The newest one is the day "
    "as of which every figure is judged.",
    blocking=True,
)
NUMBERS = dg.AssetCheckSpec(
    "survey_numbers_are_plausible",
    asset=raw_key("survey_responses"),
    description="Every number of a survey is one, and within the bounds of its mapping. Others are "
    "kept, and no median takes them in.",
)


@dg.multi_asset_check(
    name="check_what_was_loaded",
    specs=[
        SCHEMA_DRIFT,
        EXPORT_HOURS,
        SATISMETER_DAYS,
        VOLUME,
        QUARANTINE,
        QUARANTINE_EMPTY,
        LEDGER,
        READ,
        PAST,
        NUMBERS,
    ],
    pool=WAREHOUSE_POOL,
)
def raw_checks(rebuild_run: dg.ResourceParam[RebuildRun]) -> Iterator[dg.AssetCheckResult]:
    """Judge what lies in the raw tables, all checks on one connection."""
    with rebuild_run.warehouse() as connection:
        yield schema_drift(checks.unknown_fields(connection))
        yield export_hours(checks.missing_export_hours(connection))
        yield satismeter_days(checks.missing_satismeter_days(connection))
        yield volume(checks.newest_day_volumes(connection))
        reasons = checks.quarantine_reasons(connection)
        yield quarantine(
            checks.quarantined_shares(connection),
            rebuild_run.settings.max_quarantined_share,
            reasons,
        )
        yield quarantined_rows(reasons)
        yield ledger(checks.ledger_imbalances(connection))
        yield read(checks.unread_files(connection))
        yield past(
            checks.exports_of_the_future(connection, datetime.now(UTC) + _CLOCKS_APART),
            moves_as_of=rebuild_run.settings.as_of is None,
        )
        yield numbers(checks.implausible_answers(connection))


def schema_drift(fields: Sequence[checks.UnknownField]) -> dg.AssetCheckResult:
    """Warn of what the contracts do not name."""
    named = [
        f"{field.source}: {field.field} ({field.occurrences:,}"
        f"{' in a sample' if field.is_sampled else ''})"
        for field in fields
    ]
    return _judge(
        SCHEMA_DRIFT,
        named,
        dg.AssetCheckSeverity.WARN,
        f"{len(fields)} fields or event types are in no contract. Add what is needed to "
        "data/sources/; the rest stays out of the warehouse.",
    )


def export_hours(gaps: Sequence[checks.Gap]) -> dg.AssetCheckResult:
    """Warn of hours without a file."""
    hours = sum(gap.hours for gap in gaps)
    named = [
        f"project {gap.project}: {gap.first_hour:%Y-%m-%d %H}:00 to "
        f"{gap.last_hour:%Y-%m-%d %H}:59 UTC ({gap.hours} h)"
        for gap in sorted(gaps, key=lambda gap: -gap.hours)
    ]
    return _judge(
        EXPORT_HOURS,
        named,
        dg.AssetCheckSeverity.WARN,
        f"{hours} hours have no file. Nights without events have none either; export the others "
        "again.",
        missing_hours=hours,
    )


def satismeter_days(gaps: Sequence[checks.MissingDays]) -> dg.AssetCheckResult:
    """Warn of days between two Satismeter exports that neither of them holds."""
    days = sum(gap.days for gap in gaps)
    named = [f"{gap.first_day} to {gap.last_day} ({gap.days} days)" for gap in gaps]
    return _judge(
        SATISMETER_DAYS,
        named,
        dg.AssetCheckSeverity.WARN,
        f"{days} days lie between two Satismeter exports and in neither; their responses are "
        "missing from NPS. Export them with a start date: without one Satismeter gives the last "
        f"{checks.SATISMETER_WINDOW_DAYS} days.",
        missing_days=days,
    )


def volume(volumes: Sequence[checks.Volume]) -> dg.AssetCheckResult:
    """Warn of a newest day that is far from its weekday's usual size."""
    unusual = [
        f"project {found.project}: {found.rows:,} rows on {found.day} until {found.until_hour}:59 "
        f"UTC, usually {found.usual_rows:,.0f} (median of {found.weeks} weeks)"
        for found in volumes
        if found.usual_rows is not None
        and found.usual_rows >= _ROWS_TO_JUDGE
        and found.weeks >= _WEEKS_TO_JUDGE
        and not _TOO_FEW <= found.rows / found.usual_rows <= _TOO_MANY
    ]
    return _judge(
        VOLUME,
        unusual,
        dg.AssetCheckSeverity.WARN,
        "The newest day is unusually small or large. Is the export complete?",
        newest_day_rows=sum(found.rows for found in volumes),
    )


def quarantine(
    shares: Sequence[checks.QuarantinedShare],
    largest: float,
    reasons: Sequence[checks.QuarantineReason] = (),
) -> dg.AssetCheckResult:
    """Fail when too many rows of a source, or of one load of it, could not be read."""
    why = {found.source: found for found in reversed(reasons)}  # the most frequent one stays
    named = [
        f"{share.source}: {share.quarantined:,} of {share.rows_in:,} rows ({share.share:.1%})"
        + (f" of load {share.load[:8]}" if share.load else "")
        + (f", most of them: {_reason(why[share.source])}" if share.source in why else "")
        for share in shares
        if share.share > largest
    ]
    return _judge(
        QUARANTINE,
        named,
        dg.AssetCheckSeverity.ERROR,
        f"More than {largest:.1%} of the rows could not be read. raw.quarantined_rows says where "
        "and why; correct the export or its contract.",
        largest_share=max((share.share for share in shares), default=0.0),
    )


def quarantined_rows(reasons: Sequence[checks.QuarantineReason]) -> dg.AssetCheckResult:
    """Warn of rows that could not be read."""
    rows = sum(found.rows for found in reasons)
    return _judge(
        QUARANTINE_EMPTY,
        [f"{found.source}: {_reason(found)}" for found in reasons],
        dg.AssetCheckSeverity.WARN,
        f"{rows:,} rows could not be read and are in no figure. `make show-line` prints one.",
        quarantined_rows=rows,
    )


def _reason(found: checks.QuarantineReason) -> str:
    line = "" if found.line_number is None else f" line {found.line_number:,}"
    files = f"{found.files:,} file{'s' if found.files != 1 else ''}"
    return f"{found.reason} ({found.rows:,} in {files}, such as {found.path}{line})"


def ledger(imbalances: Sequence[checks.Imbalance]) -> dg.AssetCheckResult:
    """Fail when a file's rows are not all accounted for."""
    named = [
        f"{file.path}: {file.rows_in:,} rows in, {file.accounted_for:,} accounted for"
        for file in imbalances
    ]
    return _judge(
        LEDGER,
        named,
        dg.AssetCheckSeverity.ERROR,
        f"{len(imbalances)} files lost or gained rows while they were loaded: a fault of the "
        "loader, please report it.",
    )


def read(files: Sequence[checks.UnreadFile]) -> dg.AssetCheckResult:
    """Warn of files that brought nothing, or not all that they should."""
    named = [f"{file.path}: {file.status}, {file.reason}" for file in files]
    return _judge(
        READ,
        named,
        dg.AssetCheckSeverity.WARN,
        f"{len(files)} files were not read, or not wholly.",
    )


def past(found: Sequence[checks.FutureExport], *, moves_as_of: bool) -> dg.AssetCheckResult:
    """Fail when a time of export is yet to come and moves the as-of; warn when it does not."""
    named = [f"{file.path}: {file.newest_at:%Y-%m-%d %H:%M} UTC" for file in found]
    return _judge(
        PAST,
        named,
        dg.AssetCheckSeverity.ERROR if moves_as_of else dg.AssetCheckSeverity.WARN,
        "Exports are of a time that is yet to come, and figures are judged as of the newest one. "
        "Export them again, or set NORTHSTAR_AS_OF; if they are right, the clock here is not.",
    )


def numbers(found: Sequence[checks.ImplausibleAnswers]) -> dg.AssetCheckResult:
    """Warn of numbers that cannot be."""
    named = [
        f"{column.survey}: {column.column} ({column.implausible:,} of {column.answers:,})"
        for column in found
    ]
    return _judge(
        NUMBERS,
        named,
        dg.AssetCheckSeverity.WARN,
        "Some answers are no number, or out of the mapping's bounds; medians leave them out.",
        implausible_answers=sum(column.implausible for column in found),
    )


def _judge(
    spec: dg.AssetCheckSpec,
    named: Sequence[str],
    severity: dg.AssetCheckSeverity,
    remedy: str,
    **figures: float,
) -> dg.AssetCheckResult:
    """A check's result: passed when nothing is named. Long lists are cut, never their count."""
    metadata: dict[str, dg.MetadataValue | float] = {"found": len(named), **figures}
    if named:
        shown = "\n".join(f"- {name}" for name in named[:_MOST_NAMED])
        more = len(named) - _MOST_NAMED
        metadata["named"] = dg.MetadataValue.md(f"{shown}\n- … {more} more" if more > 0 else shown)
    return dg.AssetCheckResult(
        check_name=spec.name,
        asset_key=spec.asset_key,
        passed=not named,
        severity=severity,
        description=f"{remedy} {named[0]}{' …' if len(named) > 1 else ''}" if named else None,
        metadata=metadata,
    )

"""From what was found to what is told: pure decisions, in words made of names and numbers.

What an error says is told only of errors whose text is made of settings, paths of northstar's own
and names of checks. All others may quote a row, a file's name or an answer: of them the kind is
told, and where to read on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestration.alerting.alerts import Alert

_TOLD = frozenset({"SettingsError", "SecretError", "LockedError", "ChainError", "PublishingError"})
_MOST_NAMED = 20
_WHERE = "Read on in Dagster (`make ui`), or in what `make run` printed. Readers keep the old file."


@dataclass(frozen=True)
class FailedCheck:
    """A check that did not pass.

    Attributes:
        name: of the check and its table.
        is_error: whether it stops the publication.
        about: what it checks, as the code says; never what it found.
        figures: what it found, as numbers.
    """

    name: str
    is_error: bool
    about: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def found(self) -> float:
        """How much is wrong: a warning that stays as bad as it was is not told again."""
        return self.figures.get("found", self.figures.get("failed_row_count", 1))

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {value:,g}" for name, value in sorted(self.figures.items()))
        said = f"check {self.name} {'failed' if self.is_error else 'warns'}"
        return (
            f"{said}{f' ({figures})' if figures else ''}{f': {self.about}' if self.about else ''}"
        )


@dataclass(frozen=True)
class RunEnd:
    """How a run ended.

    Attributes:
        run_id: Dagster's.
        succeeded: whether it did.
        errors: class and text of what went wrong, outermost first.
        checks: those that did not pass.
    """

    run_id: str
    succeeded: bool
    errors: Sequence[tuple[str, str]] = ()
    checks: Sequence[FailedCheck] = ()


def failed_run(end: RunEnd) -> Alert:
    """The alert of a run that failed."""
    # The innermost is the cause; those around it are Dagster's.
    told = [f"{kind}: {text}" for kind, text in end.errors if kind in _TOLD]
    kinds = [kind for kind, _ in end.errors]
    causes = told[-1:] or kinds[-1:]
    return Alert(
        key=f"run:{end.run_id}",
        severity="error",
        title="northstar: a run failed, nothing new was published",
        details=(f"run {end.run_id}", *causes, *_named(end.checks), _WHERE),
    )


def killed_run(run_id: str) -> Alert:
    """The alert of a run whose process is gone."""
    return Alert(
        key=f"run:{run_id}",
        severity="error",
        title="northstar: a run was killed, nothing new was published",
        details=(f"run {run_id}", "The next run starts where it can; start it, or wait for it."),
    )


def failed_checks(end: RunEnd, known: Mapping[str, float]) -> Alert | None:
    """The alert of checks that did not pass although the run did; none without anything new.

    Args:
        end: of the run.
        known: how much was wrong before, by check; what is not there had passed.
    """
    worse = [check for check in end.checks if check.found > known.get(check.name, 0)]
    if not worse:
        return None
    return Alert(
        key=f"checks:{end.run_id}",
        severity="error" if any(check.is_error for check in worse) else "warning",
        title=f"northstar: {len(worse)} {'check warns' if len(worse) == 1 else 'checks warn'}",
        details=(f"run {end.run_id}", *_named(worse)),
    )


def stale_exports(
    newest: Mapping[str, datetime], now: datetime, after: timedelta
) -> Sequence[Alert]:
    """An alert for each source whose newest export is too old.

    The key names that export: while nothing newer comes, nothing is repeated.

    Args:
        newest: time of the newest export by source, with a time zone.
        now: likewise.
        after: how old is too old; zero for never.
    """
    if not after:
        return []
    return [
        Alert(
            key=f"stale:{source}:{time.isoformat()}",
            severity="error",
            title=f"northstar: {source} is stale, the newest export is of {time:%Y-%m-%d %H:%M %Z}",
            details=(
                f"That is {(now - time) / timedelta(hours=1):,.0f} hours ago; the limit is "
                f"{after / timedelta(hours=1):,g} (NORTHSTAR_ALERT_STALE_HOURS).",
                "Do exports arrive in the landing folder, and do runs succeed?",
            ),
        )
        for source, time in sorted(newest.items())
        if now - time > after
    ]


def _named(checks: Sequence[FailedCheck]) -> list[str]:
    ordered = sorted(checks, key=lambda check: (not check.is_error, check.name))
    more = len(ordered) - _MOST_NAMED
    return [str(check) for check in ordered[:_MOST_NAMED]] + ([f"and {more} more"] * (more > 0))

"""Telling people that something is wrong: what to tell, whom, and that it is told once.

Knows nothing of Dagster, the warehouse or the exports: who calls it says what was found.
"""

from __future__ import annotations

from orchestration.alerting.alerts import Alert
from orchestration.alerting.findings import (
    FailedCheck,
    RunEnd,
    failed_run,
    killed_run,
    stale_exports,
)
from orchestration.alerting.outbox import (
    Undelivered,
    UnwrittenError,
    deliver,
    log_file,
    tell,
    tell_of_checks,
)

__all__ = [
    "Alert",
    "FailedCheck",
    "RunEnd",
    "Undelivered",
    "UnwrittenError",
    "deliver",
    "failed_run",
    "killed_run",
    "log_file",
    "stale_exports",
    "tell",
    "tell_of_checks",
]

"""The rebuild of every night."""

import dagster as dg

from orchestration.defs.automation.jobs import REBUILD
from orchestration.inputs import is_published
from orchestration.landing import take_inventory
from orchestration.settings import read_settings


@dg.schedule(
    job_name=REBUILD,
    # After the last hour of the day has been exported, before anybody reads a report.
    cron_schedule="15 5 * * *",
    execution_timezone=read_settings().reporting_timezone,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Rebuilds in the morning; skips when nothing has changed since it was published.",
)
def daily() -> dg.RunRequest | dg.SkipReason:
    """Ask for a run, or say why there is no need."""
    settings = read_settings()
    inventory = take_inventory(settings.landing)
    if not inventory.files:
        return dg.SkipReason("The landing folder holds no files.")
    if is_published(settings, inventory):
        return dg.SkipReason("Exports, contracts, models and settings are those of the last run.")
    return dg.RunRequest()

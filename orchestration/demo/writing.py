"""Writes a demo: simulates people, writes the vendors' exports, and the marker with the truth."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final

from orchestration.demo.activity import Life, Merge
from orchestration.demo.amplitude import count_files, write_amplitude
from orchestration.demo.chance import stream
from orchestration.demo.clock import REPORTING_ZONE, Period
from orchestration.demo.courses import COURSES
from orchestration.demo.events import Journal
from orchestration.demo.marker import (
    DRAFT_NAME,
    MARKER_NAME,
    Marker,
    files_below,
    is_vacant,
    read_marker,
    remove_demo,
    write_marker,
)
from orchestration.demo.mishaps import Mishaps, befall
from orchestration.demo.outcomes import GALLERY_SIZE, Report, Reporting, outcomes_of
from orchestration.demo.people import Learner, populate, tell_about
from orchestration.demo.satismeter import Satismeter
from orchestration.demo.surveys import Surveys
from orchestration.demo.truth import (
    EventTruth,
    FileTruth,
    Truth,
    absenteeism_truth,
    course_truth,
    event_truth,
    group_truth,
    income_truth,
    judge,
    learner_days,
    listed_courses,
    nps_truth,
    outcome_truth,
    people_truth,
    placement_truth,
    report_truth,
    retention_truth,
    signup_truth,
    subscription_truth,
    support_truth,
    wave_truth,
)
from orchestration.demo.zendesk import SupportDesk
from orchestration.digests import digest_of_file
from orchestration.errors import LandingError, SettingsError

DEFAULT_LEARNERS: Final = 5_000
DEFAULT_MONTHS: Final = 18
DEFAULT_SEED: Final = 42
# Fixed, and never today: the same command writes the same bytes in ten years.
DEFAULT_END: Final = date(2026, 6, 30)

MIN_LEARNERS, MAX_LEARNERS = 20, 1_000_000
MIN_MONTHS, MAX_MONTHS = 1, 60


def write_demo(
    landing: Path,
    *,
    learners: int = DEFAULT_LEARNERS,
    months: int = DEFAULT_MONTHS,
    seed: int = DEFAULT_SEED,
    end: date = DEFAULT_END,
) -> Truth:
    """Write demo exports into an empty landing folder.

    The same arguments give the same bytes. Files are drafted in a hidden folder first and moved
    then, so that a run that is killed leaves nothing that could be taken for somebody's exports.

    Args:
        landing: the folder; it is made where it is missing.
        learners: people with an account.
        months: length of the simulated period, in calendar months.
        seed: another seed draws other people.
        end: last day of the period, in which the newest export falls.

    Raises:
        LandingError: the folder is not empty.
        SettingsError: an option is out of its range.
    """
    _check_options(learners, months, end)
    if not is_vacant(landing):
        raise LandingError(_why_occupied(landing))
    remove_demo(landing)  # the rest of a run that was killed
    draft = landing / DRAFT_NAME
    draft.mkdir(parents=True)
    with _without_cycle_collector():
        truth = _write_exports(draft, learners, Period.of_months(months, end), months, seed)
    names = files_below(draft)
    files = {name: digest_of_file(draft / name) for name in names}
    marker = Marker(seed=seed, learners=learners, months=months, files=files, truth=truth)
    # The marker comes first: from then on, every file that is moved is known to be the demo's.
    write_marker(landing, marker)
    for name in names:
        target = landing / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (draft / name).replace(target)
    shutil.rmtree(draft)
    return truth


def _write_exports(landing: Path, learners: int, period: Period, months: int, seed: int) -> Truth:
    population = populate(stream(seed, "people"), learners, period)
    tell_about(stream(seed, "about people"), population.learners)
    journal = Journal(stream(seed, "events"), period.ends_at)
    life = Life(stream(seed, "life"), period, COURSES, journal)
    life.run(population)

    outcomes = outcomes_of(stream(seed, "outcomes"), population, period)
    reporting = Reporting(stream(seed, "reports"), period)
    reporting.report(outcomes)
    reporting.add_invalid(population.learners)
    reporting.add_gallery(population.alumni[:GALLERY_SIZE])
    surveys = Surveys(
        stream(seed, "surveys"),
        stream(seed, "survey mail"),
        stream(seed, "survey work"),
        period,
        population,
    )
    surveys.write(landing, outcomes, reporting)
    declare(reporting.reports, life, journal)

    satismeter = Satismeter()
    satismeter.write(landing / "satismeter", stream(seed, "satismeter"), population, period)
    desk = SupportDesk()
    desk.run(stream(seed, "zendesk"), population, period)
    desk.write(landing / "zendesk", period)

    mishaps = befall(stream(seed, "mishaps"), journal.rows, period)
    write_amplitude(landing / "amplitude", journal.rows, mishaps, life.merges, period)

    decided = judge(reporting.reports, period.as_of)
    events = event_truth(journal.rows, mishaps)
    return Truth(
        seed=seed,
        learners=learners,
        months=months,
        first_day=period.first,
        last_day=period.last,
        as_of=period.as_of,
        reporting_timezone=REPORTING_ZONE.key,
        people=people_truth(population, reporting.reports),
        files=_file_truth(events, journal, mishaps, life.merges, desk, satismeter, surveys),
        events=events,
        learner_days=learner_days(journal.rows),
        reports=report_truth(reporting.reports, decided, period.as_of),
        outcomes=outcome_truth(decided, period.as_of),
        nps=nps_truth([*surveys.scores, *satismeter.scores]),
        waves=wave_truth(surveys.invitations, decided, journal.rows),
        placement=placement_truth(journal.rows, decided, surveys.work, period.as_of),
        income=income_truth(surveys.work),
        counted_by_group=group_truth(decided),
        signups=signup_truth(population.learners, period.as_of),
        subscriptions=subscription_truth(population.learners),
        support=support_truth(desk),
        courses=course_truth(journal.rows),
        courses_listed=listed_courses(),
        week_4_retention=retention_truth(journal.rows, period),
        absenteeism=absenteeism_truth(journal.rows),
    )


def declare(reports: Sequence[Report], life: Life, journal: Journal) -> None:
    """Put the reports that are made in the product among the events."""
    for report in reports:
        if report.source != "product" or not isinstance(report.person, Learner):
            continue
        client = life.signed_in[report.person.number][0]
        properties: dict[str, object] = {"outcome_type": report.outcome_type}
        if report.outcome_date is not None:
            properties["outcome_date"] = report.outcome_date.isoformat()
        if report.credited is not None:
            properties["credited"] = report.credited
        if report.would_not_have_happened is not None:
            properties["would_not_have_happened"] = report.would_not_have_happened == "yes"
        row = journal.note(
            client, report.reported_at, "outcome_reported", properties, session=report.reported_at
        )
        if row is None:
            raise ValueError("a report in the product must happen within the period")


def _file_truth(
    events: EventTruth,
    journal: Journal,
    mishaps: Mishaps,
    merges: Sequence[Merge],
    desk: SupportDesk,
    satismeter: Satismeter,
    surveys: Surveys,
) -> dict[str, FileTruth]:
    event_files, merge_files = count_files(journal.rows, mishaps, merges)
    found = {
        "amplitude_events": FileTruth(
            files=event_files, rows_in=events.rows_in, distinct=events.distinct
        ),
        "amplitude_merges": FileTruth(
            files=merge_files, rows_in=len(merges), distinct=len(set(merges))
        ),
        "satismeter": FileTruth(
            files=satismeter.files, rows_in=satismeter.rows, distinct=satismeter.responses
        ),
    }
    for resource, files in desk.files.items():
        found[f"zendesk_{resource}"] = FileTruth(
            files=files, rows_in=desk.rows[resource], distinct=desk.versions[resource]
        )
    for survey, files in surveys.files.items():
        rows = surveys.rows[survey]
        found[f"surveys/{survey}"] = FileTruth(files=files, rows_in=rows, distinct=rows)
    return dict(sorted(found.items()))


@contextmanager
def _without_cycle_collector() -> Iterator[None]:
    """No row is in a cycle: looking for cycles among all of them took a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _check_options(learners: int, months: int, end: date) -> None:
    if not MIN_LEARNERS <= learners <= MAX_LEARNERS:
        raise SettingsError(
            f"--learners is {learners}, and must be from {MIN_LEARNERS} to {MAX_LEARNERS}."
        )
    if not MIN_MONTHS <= months <= MAX_MONTHS:
        raise SettingsError(f"--months is {months}, and must be from {MIN_MONTHS} to {MAX_MONTHS}.")
    if not date(2010, 1, 1) <= end <= date(2100, 1, 1):
        raise SettingsError(f"--end is {end}, and must be from 2010-01-01 to 2100-01-01.")


def _why_occupied(landing: Path) -> str:
    marker = read_marker(landing)
    if marker is not None:
        return (
            f"{landing}: holds demo exports already ({marker.learners} learners, {marker.months} "
            f"months, seed {marker.seed}). Remove them with `make clean` to write others."
        )
    own = [name for name in files_below(landing) if name != MARKER_NAME]
    return (
        f"{landing}: holds {len(own)} file(s) that the demo did not write, such as {own[0]}. Demo "
        "and own exports never mix: set NORTHSTAR_LANDING_DIR to an empty folder for the demo."
    )

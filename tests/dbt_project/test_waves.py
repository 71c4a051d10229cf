"""Survey waves against plain Python: who was asked, what the answers say, what was missed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from math import comb, isclose, isnan, sqrt
from statistics import NormalDist, variance
from typing import Any
from uuid import UUID

import pytest

from tests.dbt_project.harness import School
from tests.dbt_project.outcome_rules import Outcome, Report, outcomes_of

AS_OF = date(2026, 1, 1)
WAVES = {
    "2024": date(2024, 2, 29),
    "2025": date(2025, 3, 10),
    "autumn": date(2025, 9, 10),
    "last": date(2025, 12, 31),
}
TABLES = (
    "int_surveys__invitations",
    "int_surveys__outcomes",
    "agg_survey_waves",
    "agg_estimated_outcomes",
    "agg_capture_recapture",
)
Z = NormalDist().inv_cdf(0.975)


@dataclass
class Asked:
    """What became of the invitations of a person to a wave."""

    delivered: list[bool | None] = field(default_factory=list)
    answered: list[bool] = field(default_factory=list)


@dataclass
class Person:
    """A learner with an account, or an e-mail address only."""

    number: int
    has_account: bool
    first_day: date
    plan: tuple[str, date, date] | None

    @property
    def key(self) -> UUID:
        return UUID(int=(1 if self.has_account else 2) << 96 | self.number)

    def segment(self, day: date) -> str:
        if self.plan is not None and self.plan[1] <= day < self.plan[2]:
            return self.plan[0]
        return "free"


@dataclass
class World:
    """Everybody, what is in the raw tables, and what is true of it."""

    people: list[Person] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    asked: dict[tuple[str, UUID], Asked] = field(default_factory=dict)
    nameless: dict[str, list[tuple[bool | None, bool]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    reports: list[Report] = field(default_factory=list)
    wave_of: dict[UUID, str] = field(default_factory=dict)

    def outcomes(self) -> list[Outcome]:
        """The counted ones."""
        return [one for one in outcomes_of(self.reports, AS_OF) if one.decision == "counted"]


def at_noon(day: date) -> datetime:
    return datetime.combine(day, time(12))


def before(day: date) -> date:
    """The same day a year earlier; 28 February where there is no 29th."""
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)


def make_world(seed: int, people: int) -> World:
    chance = random.Random(seed)
    world = World()
    ids = (UUID(int=3 << 96 | number) for number in range(1_000_000))
    for number in range(people):
        first_day = date(2023, 1, 1) + timedelta(days=chance.randrange(1090))
        if chance.random() < 0.1:
            first_day = chance.choice(tuple(WAVES.values())) + timedelta(days=chance.randrange(2))
        plan = None
        if chance.random() < 0.4:
            begins = max(first_day, chance.choice((first_day, *WAVES.values())))
            plan = (chance.choice(("SPARK", "degree")), begins, begins + timedelta(days=200))
        person = Person(number, chance.random() < 0.85, first_day, plan)
        person.plan = plan if person.has_account else None
        world.people.append(person)
        _live(world, person)
        _tell(world, person, chance, ids)
        for wave, day in WAVES.items():
            for _ in range(chance.choice((0, 1, 1, 2)) if chance.random() < 0.7 else 0):
                _ask(world, person, wave, day, chance, ids)
    for wave in ("2024", "autumn"):
        for _ in range(3):
            answered = chance.random() < 0.5
            delivered = True if answered else chance.choice((True, False))
            world.nameless[wave].append((delivered, answered))
            world.rows.append(_row(next(ids), wave, WAVES[wave], delivered, answered))
    return world


def _live(world: World, person: Person) -> None:
    if not person.has_account:
        return
    mine = {"user_key": person.key}
    world.events.append({**mine, "event_type": "seen", "event_at": at_noon(person.first_day)})
    if person.plan is not None:
        plan, begins, ends = person.plan
        world.events += [
            {**mine, "event_type": "started", "event_at": at_noon(begins), "plan": plan},
            {**mine, "event_type": "ended", "event_at": at_noon(ends)},
        ]


def _day_near(wave: date, chance: random.Random) -> date:
    """A day in the window of a wave, often at an end of it."""
    edges = (before(wave), before(wave) - timedelta(days=1), wave, wave - timedelta(days=1))
    if chance.random() < 0.3:
        return chance.choice(edges)
    return wave - timedelta(days=chance.randrange(1, 364))


def _tell(world: World, person: Person, chance: random.Random, ids: Any) -> None:
    """Declarations in the product, and coaches' entries."""
    for _ in range(chance.choice((0, 0, 1, 2))):
        day = _day_near(chance.choice(tuple(WAVES.values())), chance)
        _report(world, person, day, chance, next(ids))


def _report(
    world: World, person: Person, day: date, chance: random.Random, report_id: UUID
) -> None:
    source = chance.choice(("product", "coach") if person.has_account else ("coach",))
    # Nobody is seen before their first day.
    told_on = max(day, person.first_day)
    if told_on >= AS_OF:
        return
    credited = chance.choice(("yes", "yes", "no"))
    world.reports.append(Report(report_id, person.key, source, told_on, "new_job", day, credited))
    told = {"outcome_type": "new_job", "outcome_date": day, "credited": credited}
    if source == "product":
        said = {"event_id": report_id, "event_type": "told", "event_at": at_noon(told_on)}
        world.events.append({**said, "user_key": person.key, **told})
        return
    world.rows.append(
        {
            "response_id": report_id,
            "survey": "coaches",
            "source": "coach",
            "submitted_at": at_noon(told_on),
            "user_key" if person.has_account else "email_key": person.key,
            "is_outcome_report": True,
            **told,
        }
    )


def _ask(
    world: World, person: Person, wave: str, day: date, chance: random.Random, ids: Any
) -> None:
    answered = chance.random() < 0.4
    unknown = (None,) if wave == "autumn" else ()
    delivered = True if answered else chance.choice((True, True, False, *unknown))
    asked = world.asked.setdefault((wave, person.key), Asked())
    asked.delivered.append(delivered)
    asked.answered.append(answered)
    response = next(ids)
    row = _row(response, wave, day, delivered, answered)
    row["user_key" if person.has_account else "email_key"] = person.key
    if answered and chance.random() < 0.6:
        happened = _day_near(day, chance)
        row |= {
            "is_outcome_report": True,
            "outcome_type": "new_job",
            "outcome_date": happened,
            "credited": "yes",
        }
        world.reports.append(
            Report(response, person.key, "survey", day, "new_job", happened, "yes")
        )
        world.wave_of[response] = wave
        if chance.random() < 0.5:
            found = happened + timedelta(days=chance.randrange(-5, 6))
            _report(world, person, found, chance, next(ids))
    world.rows.append(row)


def _row(
    response: UUID, wave: str, day: date, delivered: bool | None, answered: bool
) -> dict[str, Any]:
    return {
        "response_id": response,
        "survey": "alumni",
        "source": "survey",
        "wave": wave,
        "wave_date": day,
        "invited_at": at_noon(day),
        "is_delivered": delivered,
        "is_answered": answered,
        "submitted_at": at_noon(day) if answered else None,
    }


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(7, 400)


@pytest.fixture(scope="module")
def school(world: World, tmp_path_factory: pytest.TempPathFactory) -> School:
    school = School(tmp_path_factory.mktemp("waves"))
    school.exported_at("2025-12-31 12:00:00")
    school.means(seen="visit", told="outcome_reported", started="plan_started", ended="plan_ended")
    school.insert("loaded_files", [{"file_id": 100, "path": "file", "status": "loaded"}])
    for row in world.rows:
        row |= {"row_hash": row["response_id"], "file_id": 100}
    school.insert("survey_responses", world.rows)
    events = [{**row, "file_id": 100} for row in world.events if row["event_at"].date() < AS_OF]
    school.load_events(events)
    school.build(
        "+agg_estimated_outcomes", "+agg_capture_recapture", resource_types=("model", "seed")
    )
    school.build(*TABLES, resource_types=("test",))
    return school


def _members(world: World, wave: str, day: date) -> list[Person]:
    return [
        one
        for one in world.people
        if (one.has_account and one.first_day <= day) or (wave, one.key) in world.asked
    ]


def _reporting(world: World, wave: str, day: date) -> set[UUID]:
    """Who reported a counted outcome of the window in the wave."""
    return {
        outcome.carrier.learner
        for outcome in world.outcomes()
        if before(day) <= outcome.on < day
        and any(world.wave_of.get(report.report_id) == wave for report in outcome.reports)
        and outcome.carrier.learner is not None
    }


def _delivered(found: Sequence[bool | None]) -> bool | None:
    return True if True in found else None if None in found else False


def test_population_invited_delivered_and_answered_are_counted_by_segment(
    world: World, school: School
) -> None:
    expected: dict[tuple[str, str], tuple[Any, ...]] = {}
    for wave, day in WAVES.items():
        reporting = _reporting(world, wave, day)
        by_segment: dict[str, list[Person]] = defaultdict(list)
        for person in _members(world, wave, day):
            by_segment[person.segment(day)].append(person)
        for segment, own in by_segment.items():
            asked = [found for one in own if (found := world.asked.get((wave, one.key)))]
            arrived = [_delivered(one.delivered) for one in asked]
            delivered = None if None in arrived else sum(one is True for one in arrived)
            answered = sum(True in one.answered for one in asked)
            expected[wave, segment] = (
                day,
                len(own),
                len(asked),
                delivered,
                answered,
                answered / delivered if delivered else None,
                len(reporting & {one.key for one in own}),
            )
        if nameless := world.nameless.get(wave):
            arrived = [delivered for delivered, _ in nameless]
            answered = sum(answered for _, answered in nameless)
            delivered = sum(one is True for one in arrived)
            expected[wave, "unknown"] = (
                *(day, None, len(nameless), delivered, answered),
                *(answered / delivered if delivered else None, None),
            )

    rows = school.query(
        "select wave, segment, wave_date, population, invited, delivered, answered, response_rate, "
        "outcomes from outcomes.agg_survey_waves"
    )

    assert {row[:2]: row[2:] for row in rows} == expected
    assert {"free", "SPARK", "degree", "unknown"} == {segment for _, segment in expected}
    assert sum(row[6] or 0 for row in expected.values()) > 50


def test_the_estimate_is_that_of_a_stratified_sample(world: World, school: School) -> None:
    found = {
        row[0]: row[1:]
        for row in school.query(
            "select wave, estimated_outcomes, estimated_low, estimated_high, "
            "effective_sample_size, observed_outcomes, respondents_with_outcome, respondents, "
            "population, break_even_rate, goal_low from outcomes.agg_estimated_outcomes"
        )
    }
    assert set(found) == set(WAVES)
    bounded = 0
    for wave, day in WAVES.items():
        reporting = _reporting(world, wave, day)
        strata: dict[str, list[int]] = defaultdict(list)
        sizes: dict[str, int] = defaultdict(int)
        for person in _members(world, wave, day):
            sizes[person.segment(day)] += 1
            asked = world.asked.get((wave, person.key))
            if asked is not None and True in asked.answered:
                strata[person.segment(day)].append(int(person.key in reporting))
        total = spread = 0.0
        weights: list[float] = []
        for segment, size in sizes.items():
            answers = strata[segment]
            weights += [size / len(answers)] * len(answers)
            total += size * sum(answers) / len(answers)
            sampled = 1 - len(answers) / size
            # One answer does not tell how much answers differ.
            differing = variance(answers) if len(answers) > 1 else float("nan")
            spread += size**2 * sampled * differing / len(answers)
        estimated = found[wave]
        people = sum(sizes.values())
        assert isclose(estimated[0], total)
        if isnan(spread):
            assert estimated[1:3] == (None, None)
        else:
            half = Z * sqrt(spread)
            assert isclose(estimated[1], max(total - half, 0), abs_tol=1e-9)
            assert isclose(estimated[2], min(total + half, people))
            bounded += 1
        assert isclose(estimated[3], sum(weights) ** 2 / sum(one * one for one in weights))
        outcomes = [one for one in world.outcomes() if before(day) <= one.on < day]
        respondents = sum(map(len, strata.values()))
        assert estimated[4:8] == (len(outcomes), len(reporting), respondents, people)
        if day.year == 2024:
            assert estimated[8:] == (None, None)
        else:
            # With that share of the others the goal is met to the person.
            needed = len(reporting) + estimated[8] * (people - respondents)
            assert isclose(needed, estimated[9])
    assert bounded >= 2


def chapman(survey: int, other: int, both: int) -> float:
    return (survey + 1) * (other + 1) / (both + 1) - 1


def test_what_survey_and_product_miss_is_estimated_from_what_both_find(
    world: World, school: School
) -> None:
    expected = {}
    for wave, day in WAVES.items():
        for compared_with, sources in (
            ("product", {"product"}),
            ("all_other_sources", {"product", "coach", "contract"}),
        ):
            found = [
                (
                    any(world.wave_of.get(report.report_id) == wave for report in one.reports),
                    any(report.source in sources for report in one.reports),
                )
                for one in world.outcomes()
                if before(day) <= one.on < day and (wave, one.carrier.learner) in world.asked
            ]
            expected[wave, compared_with] = tuple(
                sum(map(wanted, found))
                for wanted in (
                    lambda one: one[0],
                    lambda one: one[1],
                    lambda one: one[0] and one[1],
                    lambda one: one[0] and not one[1],
                    lambda one: one[1] and not one[0],
                    lambda one: one[0] or one[1],
                )
            )
    rows = school.query(
        "select wave, compared_with, found_by_survey, found_otherwise, found_by_both, "
        "found_by_survey_only, missed_by_survey, found_by_either, estimated_outcomes, "
        "estimated_low, estimated_high from outcomes.agg_capture_recapture"
    )

    assert {row[:2]: row[2:8] for row in rows} == expected
    assert all(sum(row[place] for row in rows) > 20 for place in range(2, 8))
    for row in rows:
        survey, other, both, only, missed, either, estimate, low, high = row[2:]
        assert isclose(estimate, chapman(survey, other, both))
        error = sqrt((survey + 1) * (other + 1) * only * missed / (both + 2)) / (both + 1)
        assert isclose(low, max(either, estimate - Z * error))
        assert isclose(high, estimate + Z * error)


@pytest.mark.parametrize(("outcomes", "survey", "other"), [(12, 7, 8), (30, 20, 10), (9, 9, 3)])
def test_chapmans_estimate_is_right_on_average(outcomes: int, survey: int, other: int) -> None:
    """Over all ways in which the product can find `other` of the outcomes independently."""
    ways = {
        both: comb(survey, both) * comb(outcomes - survey, other - both)
        for both in range(max(0, survey + other - outcomes), min(survey, other) + 1)
    }
    total = sum(chapman(survey, other, both) * number for both, number in ways.items())
    assert isclose(total / sum(ways.values()), outcomes)

"""How a learner's plan changes: started, changed, ended, renewed within the grace period or not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestration.demo.chance import steps
from orchestration.demo.clock import Period, local_day, local_ms

FREE = "free"
SPARK = "SPARK"
DEGREE = "degree"
# How the product's events spell the plans; the tracking plan translates them.
PLAN_VALUES = {FREE: "free", SPARK: "spark", DEGREE: "degree"}

# A renewal within it continues the spell (definitions, section 3, premium retention).
GRACE_DAYS = 7
# Nothing ends so shortly before the as-of date that the grace period would still run.
_QUIET_DAYS = 12

PlanEvent = Literal["plan_started", "plan_changed", "plan_ended"]


@dataclass(frozen=True)
class PlanStep:
    """A change of plan.

    Attributes:
        at: milliseconds since 1970.
        event: what the product calls it.
        plan: the plan from then on; free after an end.
        previous: the plan until then.
        graduates: whether a degree ended with the diploma.
    """

    at: int
    event: PlanEvent
    plan: str
    previous: str
    graduates: bool = False

    @property
    def day(self) -> int:
        """Its day in the reporting zone, counted since 1970-01-01."""
        return local_day(self.at)


@dataclass(frozen=True)
class Spell:
    """A subscription: renewals within the grace period and changes of paid plan continue it."""

    first_plan: str
    last_plan: str
    started_on: int
    ended_on: int | None


def plan_journey(rng: random.Random, joined_day: int, period: Period) -> tuple[PlanStep, ...]:
    """Draw the changes of plan of one learner within the period."""
    luck = rng.random()
    if luck < 0.76:
        return ()
    plan = SPARK if luck < 0.92 else DEGREE
    if joined_day < period.days.start:
        day = period.days.start + rng.randrange(1, max(2, len(period.days) // 2))
    else:
        day = joined_day + 1 + int(rng.expovariate(1 / 18))
    if day >= period.days.stop - 1:
        return ()
    journey = [_step(rng, day, "plan_started", plan, FREE)]
    last_end = period.days.stop - _QUIET_DAYS
    while True:
        graduates = plan == DEGREE and rng.random() < 0.8
        if plan == DEGREE:
            day += rng.randrange(280, 400) if graduates else rng.randrange(30, 150)
        else:
            day += 30 * steps(rng, 5.5)
        if day > last_end:
            break
        luck = rng.random()
        if plan == SPARK and luck < 0.12:
            journey.append(_step(rng, day, "plan_changed", DEGREE, SPARK))
            plan = DEGREE
            continue
        journey.append(_step(rng, day, "plan_ended", FREE, plan, graduates))
        if plan == DEGREE or luck > 0.32:
            break
        # A card that had to be replaced, or a pause: within the grace period, or clearly after it.
        day += rng.randrange(2, GRACE_DAYS - 1) if luck < 0.22 else rng.randrange(14, 60)
        if day > last_end:
            break
        journey.append(_step(rng, day, "plan_started", plan, FREE))
    return tuple(journey)


def spells(journey: Sequence[PlanStep]) -> list[Spell]:
    """The subscriptions that the changes of plan of one learner amount to."""
    found: list[Spell] = []
    for step in journey:
        if step.event == "plan_started":
            previous = found[-1] if found else None
            if (
                previous is not None
                and previous.ended_on is not None
                and step.day - previous.ended_on <= GRACE_DAYS
            ):
                found[-1] = Spell(previous.first_plan, step.plan, previous.started_on, None)
            else:
                found.append(Spell(step.plan, step.plan, step.day, None))
        elif step.event == "plan_changed":
            found[-1] = Spell(found[-1].first_plan, step.plan, found[-1].started_on, None)
        else:
            last = found[-1]
            found[-1] = Spell(last.first_plan, last.last_plan, last.started_on, step.day)
    return found


def _step(
    rng: random.Random,
    day: int,
    event: PlanEvent,
    plan: str,
    previous: str,
    graduates: bool = False,
) -> PlanStep:
    return PlanStep(
        local_ms(day, rng.randrange(10 * 3600, 19 * 3600)), event, plan, previous, graduates
    )

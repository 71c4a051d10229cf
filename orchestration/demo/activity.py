"""What people do on the platform, day by day: visits, sign-ins, lessons, courses, plans."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from orchestration.demo.chance import Lots, pick, steps
from orchestration.demo.clock import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Period,
    calendar_day,
    local_day,
    local_ms,
)
from orchestration.demo.courses import DemoCourse
from orchestration.demo.events import (
    Client,
    Journal,
    automated,
    reported_by_server,
    signed_in,
    signed_out,
    visiting,
)
from orchestration.demo.people import (
    CHANNELS,
    Device,
    Learner,
    Population,
    Robot,
    Visitor,
    new_amplitude_id,
    new_device,
    weekday_weight,
)
from orchestration.demo.plans import FREE, PLAN_VALUES, PlanStep

_HOURS = Lots.of(
    {
        **dict.fromkeys(range(7, 9), 2.0),
        **dict.fromkeys(range(9, 12), 5.0),
        **dict.fromkeys(range(12, 14), 4.0),
        **dict.fromkeys(range(14, 18), 4.5),
        **dict.fromkeys(range(18, 22), 7.0),
        22: 2.5,
        23: 0.5,
    }
)
_PAGES: Final = ("/", "/courses", "/pricing", "/stories", "/blog", "/degree", "/faq")
_SIGN_INS: Final = ('{"method":"e-mail"}', '{"method":"e-mail"}', '{"method":"google"}')
_BUSIEST_WEEKDAYS: Final = Lots.of({offset: weekday_weight(offset) for offset in range(7)})
_PRICES: Final = {"SPARK": 39, "degree": 490}


@dataclass(frozen=True)
class Merge:
    """Amplitude found out that two of its ids are one person: a row of the merge file.

    Attributes:
        at: milliseconds since 1970.
        absorbed: the amplitude_id that goes.
        stays: the amplitude_id that it becomes.
    """

    at: int
    absorbed: int
    stays: int


@dataclass
class Progress:
    """Where a learner is in the courses they chose."""

    courses: list[DemoCourse]
    current: DemoCourse | None = None
    lessons: int = 0


class Life:
    """Lets everybody live through the period; the journal and the merges hold what came of it."""

    def __init__(
        self, rng: random.Random, period: Period, courses: Sequence[DemoCourse], journal: Journal
    ) -> None:
        self.merges: list[Merge] = []
        self.signed_in: dict[int, list[Client]] = {}
        self._rng = rng
        self._period = period
        self._courses = courses
        self._journal = journal

    def run(self, population: Population) -> None:
        """Everybody, in order."""
        for learner in population.learners:
            self._learner(learner)
        for visitor in population.visitors:
            self._visitor(visitor)
        self._merge_in_a_circle(population.visitors)
        for robot in population.robots:
            self._robot(robot)
        # Somebody is always there on the last evening, so that the newest export is of that day.
        last_evening = local_ms(self._period.days[-1], 20 * 3600)
        self._journal.note(self.signed_in[0][0], last_evening, "logged_in", {"method": "e-mail"})

    # -- learners ------------------------------------------------------------------------------

    def _learner(self, learner: Learner) -> None:
        clients = [signed_in(learner, device) for device in learner.devices]
        self.signed_in[learner.number] = clients
        progress = Progress(pick(self._rng, self._courses, self._rng.randrange(1, 5)))
        arrived = [False] * len(clients)
        if learner.signed_up_at is not None:
            self._before_signup(learner, learner.signed_up_at)
            self._signup(clients[0], learner.signed_up_at, progress)
            arrived[0] = True
        days = self._active_days(learner)
        *earlier, last_day = self._period.days
        if learner.signed_up_at is None and days in ([], [last_day]):
            # Without a signup, somebody must be seen once, and not only minutes before the end.
            days = [self._rng.choice(earlier), *days]
        for day in days:
            start = local_ms(day, self._second_of_day())
            usable = [at for at, client in enumerate(clients) if learner.devices[at].since <= day]
            chosen = self._rng.choice(usable) if len(usable) > 1 else 0
            if chosen and not arrived[chosen]:
                start = self._first_time_on(learner, learner.devices[chosen], start)
                self._sign_in(clients[chosen], start, start)
            arrived[chosen] = True
            self._session(clients[chosen], start, progress)
        server = reported_by_server(learner)
        for step in learner.plans:
            self._change_plan(server, step)
        self._mentoring(learner, server)

    def _before_signup(self, learner: Learner, signup: int) -> None:
        """Anonymous visits, and how (whether at all) Amplitude connects them with the account."""
        rng, device = self._rng, learner.devices[0]
        luck = rng.random()
        if luck < 0.3 or device.is_shared:
            return
        # Most browsers keep their amplitude_id when somebody signs up in them.
        amplitude_id = learner.amplitude_id
        if luck > 0.75:
            # Others got a new one: the device tells, and for every second one a merge tells too.
            amplitude_id = device.anonymous_id
            if luck > 0.87:
                self._merge(signup, amplitude_id, learner.amplitude_id)
        first = max(self._period.starts_at, signup - rng.randrange(2 * HOUR, 30 * DAY))
        self._anonymous_visits(signed_out(learner, device, amplitude_id), first, signup - MINUTE)
        if luck < 0.36:
            self._strange_device(learner, signup)

    def _strange_device(self, learner: Learner, signup: int) -> None:
        """Visits in an app's own browser, where the learner never signs in: only merges tell."""
        rng = self._rng
        if signup + 3 * DAY > self._period.ends_at:
            return  # its merges would be exported too late
        device = new_device(rng, local_day(signup))
        learner.strange_devices.append(device)
        client = signed_out(learner, device, device.anonymous_id)
        first = max(self._period.starts_at, signup - rng.randrange(2 * HOUR, 20 * DAY))
        self._anonymous_visits(client, first, signup - MINUTE)
        stays = learner.amplitude_id
        if rng.random() < 0.3:
            # In two steps: 9 became 8, and 8 became 5.
            stays = new_amplitude_id(rng)
            self._merge(signup + DAY, stays, learner.amplitude_id)
        self._merge(signup, device.anonymous_id, stays)

    def _first_time_on(self, learner: Learner, device: Device, start: int) -> int:
        """Look around on another device before signing in there; returns when that happens."""
        rng = self._rng
        if device.is_shared or rng.random() < 0.4 or start + HOUR > self._period.ends_at:
            return start
        client = signed_out(learner, device, device.anonymous_id)
        self._anonymous_visits(client, max(self._period.starts_at, start - 2 * DAY), start - MINUTE)
        if rng.random() < 0.6:
            self._merge(start, device.anonymous_id, learner.amplitude_id)
        return start + MINUTE

    def _anonymous_visits(self, client: Client, first: int, last: int) -> None:
        if first >= last:
            return
        for _ in range(steps(self._rng, 2.2)):
            self._page(client, self._rng.randrange(first, last), CHANNELS.draw(self._rng))

    def _signup(self, client: Client, at: int, progress: Progress) -> None:
        method = self._rng.choice(("e-mail", "google", "linkedin"))
        self._journal.note(client, at, "signed_up", {"method": method}, session=at)
        self._session(client, at + 40 * SECOND, progress, session=at)

    def _active_days(self, learner: Learner) -> list[int]:
        """Days with a session, by a habit that fades with the weeks."""
        rng, days = self._rng, self._period.days
        found: set[int] = set()
        first = max(learner.joined_day + 1, days.start)
        for week, monday in enumerate(range(first, days.stop, 7)):
            age = week if learner.signed_up_at is not None else week * 0.5
            if rng.random() < 0.8 * math.exp(-age / learner.stays_weeks) + 0.006:
                for _ in range(steps(rng, 2.2)):
                    day = monday + (_BUSIEST_WEEKDAYS.draw(rng) - monday) % 7
                    if day < days.stop:
                        found.add(day)
        return sorted(found)

    def _second_of_day(self) -> int:
        return _HOURS.draw(self._rng) * 3600 + self._rng.randrange(3600)

    def _session(
        self, client: Client, start: int, progress: Progress, session: int | None = None
    ) -> None:
        rng, journal = self._rng, self._journal
        delay = journal.delay(client)
        session = start if session is None else session
        at = start
        if rng.random() < 0.3:
            self._sign_in(client, at, session, delay)
        channel = "email" if rng.random() < 0.06 else None
        for _ in range(steps(rng, 1.8)):
            at += rng.randrange(5, 60) * SECOND
            self._page(client, at, channel, session, delay)
            channel = None
        if rng.random() < 0.12:
            at += rng.randrange(10, 90) * SECOND
            found = f'{{"results":{rng.randrange(40)}}}'
            journal.note(client, at, "search_performed", found, session=session, delay=delay)
        if rng.random() < 0.8:
            self._study(client, at, progress, session, delay)

    def _sign_in(self, client: Client, at: int, session: int, delay: int = 0) -> None:
        properties = self._rng.choice(_SIGN_INS)
        self._journal.note(client, at, "logged_in", properties, session=session, delay=delay)

    def _page(
        self,
        client: Client,
        at: int,
        channel: str | None,
        session: int | None = None,
        delay: int = 0,
    ) -> None:
        came_by = f',"utm_channel":"{channel}"' if channel is not None else ""
        properties = f'{{"page":"{self._rng.choice(_PAGES)}"{came_by}}}'
        session = at if session is None else session
        self._journal.note(client, at, "page_viewed", properties, session=session, delay=delay)

    def _study(self, client: Client, at: int, progress: Progress, session: int, delay: int) -> None:
        """Lessons of the current course; the next one is chosen when it is done or given up."""
        rng, journal = self._rng, self._journal

        def note(event_type: str, course: DemoCourse, properties: str | None = None) -> None:
            journal.note(
                client,
                at,
                event_type,
                properties or _course_properties(course.course_id),
                session=session,
                delay=delay,
                course=course.course_id,
            )

        if progress.current is None:
            if not progress.courses:
                return
            progress.current, progress.lessons = progress.courses.pop(), 0
            at += 30 * SECOND
            note("course_enrolled", progress.current)
            if rng.random() < 0.15:
                return
        course = progress.current
        if progress.lessons == 0:
            at += 20 * SECOND
            note("course_started", course)
        for _ in range(steps(rng, 2.8)):
            at += rng.randrange(180, 960) * SECOND
            progress.lessons += 1
            minutes = rng.randrange(3, 16)
            note(
                "lesson_completed",
                course,
                f'{{"course_id":"{course.course_id}","lesson":{progress.lessons},'
                f'"minutes":{minutes}}}',
            )
            if progress.lessons >= course.lessons:
                break
        if rng.random() < 0.25:
            at += rng.randrange(30, 400) * SECOND
            score = rng.randrange(30, 101)
            note("quiz_submitted", course, f'{{"course_id":"{course.course_id}","score":{score}}}')
        at += 15 * SECOND
        if progress.lessons >= course.lessons:
            note("course_completed", course)
            if rng.random() < 0.55:
                at += rng.randrange(2, 20) * MINUTE
                passed = rng.random() < 0.88
                note("course_certified" if passed else "course_failed", course)
            progress.current = None
        elif rng.random() < 0.012:
            note("course_withdrawn", course)
            progress.current = None

    def _change_plan(self, server: Client, step: PlanStep) -> None:
        properties: dict[str, object] = {
            "plan": PLAN_VALUES[step.previous if step.event == "plan_ended" else step.plan]
        }
        if step.event == "plan_changed":
            properties["previous_plan"] = PLAN_VALUES[step.previous]
        if step.event != "plan_ended":
            properties["price"] = _PRICES[step.plan]
        self._journal.note(server, step.at, step.event, properties)
        if step.graduates:
            diploma = {"programme": "bachelor" if self._rng.random() < 0.6 else "master"}
            self._journal.note(server, step.at - 2 * HOUR, "graduated", diploma)

    def _mentoring(self, learner: Learner, server: Client) -> None:
        """Sessions with a mentor, every three weeks while a paid plan runs."""
        rng = self._rng
        ends = [*(step.at for step in learner.plans[1:]), self._period.ends_at]
        for step, end in zip(learner.plans, ends, strict=False):
            if step.plan == FREE:
                continue
            number = 0
            at = step.at + 2 * DAY
            while at < end - 4 * DAY:
                number += 1
                properties = {"mentoring_id": f"{learner.number}-{step.day}-{number}"}
                self._journal.note(server, at, "session_planned", properties)
                luck = rng.random()
                if luck < 0.2:
                    what = "session_missed" if luck < 0.12 else "session_cancelled"
                    self._journal.note(server, at + 3 * DAY, what, properties)
                at += 21 * DAY + rng.randrange(-4 * HOUR, 4 * HOUR)

    # -- others --------------------------------------------------------------------------------

    def _visitor(self, visitor: Visitor) -> None:
        clients = [visiting(visitor, device) for device in visitor.devices]
        for client, device in zip(clients, visitor.devices, strict=True):
            for _ in range(steps(self._rng, 1.6)):
                at = local_ms(device.since, self._second_of_day())
                self._page(client, at, visitor.channel)
        if len(visitor.devices) > 1:
            at = local_ms(visitor.devices[0].since, 23 * 3600)
            absorbed, stays = (device.anonymous_id for device in visitor.devices)
            self._merge(at, absorbed, stays)

    def _merge_in_a_circle(self, visitors: Sequence[Visitor]) -> None:
        """Two ids that became each other: it happens, and a chain must not be followed for ever."""
        first = sorted(visitors, key=lambda visitor: visitor.devices[0].since)[:2]
        one, other = (visitor.devices[0] for visitor in first)
        at = local_ms(max(one.since, other.since), 22 * 3600)
        self._merge(at, one.anonymous_id, other.anonymous_id)
        self._merge(at + HOUR, other.anonymous_id, one.anonymous_id)

    def _robot(self, robot: Robot) -> None:
        """Bots look at a page every few minutes; the staff tries everything once."""
        rng, journal, client = self._rng, self._journal, automated(robot)
        if robot.is_bot:
            for day in pick(rng, self._period.days, 4):
                at = local_ms(day, 10 * 3600 + rng.randrange(3600))
                for _ in range(rng.randrange(10, 40)):
                    self._page(client, at, None)
                    at += 150 * SECOND
            return
        at = local_ms(rng.choice(self._period.days), 11 * 3600)
        journal.note(client, at, "signed_up", {"method": "e-mail"})
        journal.note(client, at + MINUTE, "plan_started", {"plan": "degree", "price": 490})
        journal.note(client, at + 5 * MINUTE, "course_enrolled", {"course_id": "unlisted-test"})
        journal.note(
            client,
            at + 9 * MINUTE,
            "outcome_reported",
            {
                "outcome_type": "new_job",
                "outcome_date": calendar_day(local_day(at)).isoformat(),
                "credited": "yes",
            },
        )

    def _merge(self, at: int, absorbed: int, stays: int) -> None:
        """Amplitude works merges off in one batch a night."""
        midnight = local_ms(local_day(at) + 1)
        batch = midnight + 2 * HOUR + self._rng.randrange(40 * MINUTE)
        if batch < self._period.ends_at:
            self.merges.append(Merge(batch, absorbed, stays))


@cache
def _course_properties(course_id: str) -> str:
    return json.dumps({"course_id": course_id}, separators=(",", ":"))

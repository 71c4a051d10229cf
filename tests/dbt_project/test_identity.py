"""Identity against an independent answer: many small worlds, built in one dbt run."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.dbt_project.harness import School, reporting_day
from tests.dbt_project.people import People

START = datetime(2024, 3, 28, 20)


class World:
    """A few ids that meet in all ways. Ids of different worlds never meet, so that many worlds fit
    into one warehouse; small numbers make ties and cycles frequent."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self._number, self._chance = number, chance
        self.events = [self._event() for _ in range(chance.randrange(1, 13))]
        self.merges = [self._merge() for _ in range(chance.randrange(0, 6))]
        self.contacts = [self._contact() for _ in range(chance.randrange(0, 3))]
        self.people = People(self.events, self.merges, self.contacts)

    def _key(self, kind: int, among: int) -> UUID:
        one = self._chance.randrange(among)
        return UUID(int=(kind << 96) + (self._number << 32) + one)

    def _maybe(self, kind: int, among: int, share: float) -> UUID | None:
        return self._key(kind, among) if self._chance.random() < share else None

    def _moment(self) -> datetime:
        # Around midnight in Paris, and around the change to summer time on 31 March.
        return START + timedelta(hours=self._chance.randrange(0, 96))

    def _event(self) -> dict[str, Any]:
        return {
            "event_type": "lesson",
            "event_at": self._moment(),
            "user_key": self._maybe(1, 3, 0.4),
            "device_key": self._maybe(2, 3, 0.8),
            "amplitude_key": self._maybe(3, 5, 0.6),
            "email_key": self._maybe(4, 3, 0.3),
            "is_excluded": self._chance.random() < 0.1,
        }

    def _merge(self) -> dict[str, Any]:
        return {
            "amplitude_key": self._key(3, 5),
            "merged_amplitude_key": self._key(3, 5),
            "merged_at": START + timedelta(hours=self._chance.randrange(3)),
        }

    def _contact(self) -> dict[str, Any]:
        return {
            "user_key": self._maybe(1, 3, 0.8),
            "email_key": self._maybe(4, 3, 0.9),
            "created_at": START + timedelta(hours=self._chance.randrange(2)),
            "updated_at": START,
        }


def _learner_days(worlds: list[World]) -> Counter[tuple[UUID, Any]]:
    days: Counter[tuple[UUID, Any]] = Counter()
    for world in worlds:
        for event in world.people.events:
            learner = world.people.learner(event)
            if learner is not None:
                days[learner, reporting_day(event["event_at"])] += 1
    return days


def test_learner_days_belong_to_whom_a_search_through_all_events_finds(tmp_path: Path) -> None:
    chance = random.Random(20240331)
    worlds = [World(number, chance) for number in range(400)]
    school = School(tmp_path)
    school.exported_at("2024-05-01 00:00:00")
    school.means(lesson="learning")
    school.load_events(event for world in worlds for event in world.events)
    school.insert("amplitude_merges", [merge for world in worlds for merge in world.merges])
    school.insert("zendesk_users", [contact for world in worlds for contact in world.contacts])

    school.build_models("+fct_learner_days", "+int_identity__emails")

    built = school.query("select learner_key, activity_date, events from core.fct_learner_days")
    assert {(key, day): events for key, day, events in built} == _learner_days(worlds)
    emails = dict(school.query("select * from intermediate.int_identity__emails"))
    for world in worlds:
        for email in {e["email_key"] for e in [*world.events, *world.contacts]} - {None}:
            assert emails.get(email) == world.people.user_of_email(email)
    # Two user ids never merge: a user's own events stay with the user, whatever was merged.
    own = Counter(
        (event["user_key"], reporting_day(event["event_at"]))
        for world in worlds
        for event in world.people.events
        if event["user_key"] is not None
    )
    found = {(key, day): events for key, day, events in built}
    assert all(found[place] >= events for place, events in own.items())

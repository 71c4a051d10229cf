"""Who is who, worked out independently of the models: plain loops over events, one rule a function.

The rules are those of definitions.md, section 5, and the conventions in the descriptions of the
int_identity__* models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.dbt_project.harness import reporting_day

Event = Mapping[str, Any]


class People:
    """Answers whose an event is, from everything that is known."""

    def __init__(
        self, events: Iterable[Event], merges: Sequence[Event], contacts: Sequence[Event]
    ) -> None:
        self.events = [event for event in events if not event["is_excluded"]]
        self._merged_into = _last_merges(merges)
        self._contacts = contacts

    def root(self, amplitude: UUID) -> UUID:
        """Follow merges until an id that stays, or until an id comes up again."""
        path = [amplitude]
        while (following := self._merged_into.get(path[-1])) is not None:
            if following in path:
                return min(path[path.index(following) :])
            path.append(following)
        return path[-1]

    def user(self, event: Event) -> UUID | None:
        """The user of an event, without looking at addresses."""
        own: UUID | None = event["user_key"]
        if own is not None:
            return own
        return self._user_of_amplitude(event) or self._user_of_device(event)

    def _user_of_amplitude(self, event: Event) -> UUID | None:
        if event["amplitude_key"] is None:
            return None
        mine = self.root(event["amplitude_key"])
        signed_in = [
            (other["event_at"], other["user_key"])
            for other in self.events
            if other["user_key"] is not None
            and other["amplitude_key"] is not None
            and self.root(other["amplitude_key"]) == mine
        ]
        return min(signed_in)[1] if signed_in else None

    def _user_of_device(self, event: Event) -> UUID | None:
        if event["device_key"] is None:
            return None
        signed_in = [
            (reporting_day(other["event_at"]), other["event_at"], other["user_key"])
            for other in self.events
            if other["user_key"] is not None
            and other["device_key"] == event["device_key"]
            and reporting_day(other["event_at"]) >= reporting_day(event["event_at"])
        ]
        return min(signed_in)[2] if signed_in else None

    def anonymous_key(self, event: Event) -> UUID | None:
        if event["amplitude_key"] is not None:
            return self.root(event["amplitude_key"])
        device: UUID | None = event["device_key"]
        return device

    def user_of_email(self, email: UUID) -> UUID | None:
        """Zendesk first, then events with the user id, then events that belong to a user."""
        claims: list[tuple[int, datetime, UUID]] = [
            (1, contact["created_at"], contact["user_key"])
            for contact in self._contacts
            if contact["email_key"] == email and contact["user_key"] is not None
        ]
        for event in self.events:
            if event["email_key"] != email:
                continue
            if (user := self.user(event)) is not None:
                strength = 2 if event["user_key"] is not None else 3
                claims.append((strength, event["event_at"], user))
        return min(claims)[2] if claims else None

    def learner(self, event: Event) -> UUID | None:
        """Whose an event is; null for an event without any id."""
        if (user := self.user(event)) is not None:
            return user
        person = self.anonymous_key(event)
        if person is None:
            return None
        claims = []
        for other in self.events:
            if (
                other["email_key"] is not None
                and self.user(other) is None
                and self.anonymous_key(other) == person
                and (owner := self.user_of_email(other["email_key"])) is not None
            ):
                claims.append((other["event_at"], owner))
        return min(claims)[1] if claims else person


def _last_merges(merges: Sequence[Event]) -> dict[UUID, UUID]:
    last: dict[UUID, tuple[float, int]] = {}
    for merge in merges:
        absorbed, kept = merge["amplitude_key"], merge["merged_amplitude_key"]
        if absorbed == kept:
            continue
        rank = (merge["merged_at"].timestamp(), -kept.int)
        if absorbed not in last or rank > last[absorbed]:
            last[absorbed] = rank
    return {absorbed: UUID(int=-kept) for absorbed, (_, kept) in last.items()}

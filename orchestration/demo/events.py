"""Amplitude event rows: one simulated event, and the full-width line that the export has for it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestration.demo.clock import DAY, HOUR, SECOND, stamp
from orchestration.demo.people import (
    LANGUAGE_NAMES,
    Device,
    Hardware,
    Learner,
    Place,
    Robot,
    Visitor,
)
from orchestration.demo.plans import FREE, PLAN_VALUES

PROJECT: Final = 100042
ORGANISATION: Final = 42042

# Without a delay, a row is uploaded within this time.
MAX_UPLOAD_MS: Final = 30 * SECOND
# What the tracking plan calls learning.
LEARNING: Final = frozenset({"lesson_completed", "quiz_submitted"})
# Event types that the tracking plan does not name.
UNPLANNED: Final = ("[Amplitude] Element Clicked", "experiment_exposed", "session_heartbeat")

_SERVER = Hardware("", "", "", "", None, "", "", "http/2.0", None)


@dataclass(eq=False)
class Client:
    """Somebody on a device, signed in or not: what is the same in all rows of theirs.

    Attributes:
        person: the learner behind it, signed in or not; null for visitors and robots.
        device: null for what the school's own servers report about the person.
        is_signed_in: whether the rows carry the user id.
    """

    person: Learner | None
    device: Device | None
    is_signed_in: bool
    is_robot: bool
    template: str
    common_properties: dict[str, object]
    _properties: dict[str, str] = field(default_factory=dict)

    @property
    def is_mobile(self) -> bool:
        """Whether its events may arrive days late."""
        return self.device is not None and self.device.hardware.is_mobile

    def user_properties(self, plan: str) -> str:
        """The user properties while on a plan, as JSON."""
        text = self._properties.get(plan)
        if text is None:
            properties = dict(self.common_properties)
            if self.is_signed_in:
                properties["plan"] = PLAN_VALUES[plan]
            text = self._properties[plan] = to_json(properties)
        return text


@dataclass(eq=False, slots=True)
class Row:
    """One row of an event file.

    Attributes:
        at: event time, milliseconds since 1970.
        uploaded_at: server upload time, milliseconds since 1970.
        session: start of the session, milliseconds since 1970; -1 out of session.
        properties: event properties as JSON.
        plan: the person's plan at that time.
        course: the course that the properties name.
        number: Amplitude's `event_id`.
    """

    client: Client
    at: int
    uploaded_at: int
    session: int
    event_type: str
    properties: str
    plan: str
    course: str | None
    number: int
    uuid: str
    insert_id: str

    def line(self) -> str:
        """The row as Amplitude exports it, without a line end."""
        event_time, uploaded = stamp(self.at), stamp(self.uploaded_at)
        return self.client.template % (
            self.insert_id,
            event_time,
            stamp(self.uploaded_at - 650),
            self.number,
            self.properties,
            event_time,
            self.event_type,
            stamp(self.uploaded_at + 1_350),
            uploaded,
            uploaded,
            self.session,
            self.client.user_properties(self.plan),
            self.uuid,
        )


class Journal:
    """Collects what everybody does, as rows with ids and upload times."""

    def __init__(self, rng: random.Random, ends_at: int) -> None:
        self.rows: list[Row] = []
        self._rng = rng
        self._ends_at = ends_at

    def delay(self, client: Client) -> int:
        """For how long a session's events wait on the device: some phones are offline for days."""
        if client.is_mobile and self._rng.random() < 0.035:
            return self._rng.randrange(6 * HOUR, 9 * DAY)
        return 0

    def note(
        self,
        client: Client,
        at: int,
        event_type: str,
        properties: Mapping[str, object] | str = "{}",
        *,
        session: int = -1,
        delay: int = 0,
        course: str | None = None,
    ) -> Row | None:
        """Add an event; one that would happen after the period is not exported: null."""
        if at >= self._ends_at - MAX_UPLOAD_MS:
            return None
        uploaded_at = at + 900 + int(self._rng.random() * (MAX_UPLOAD_MS - 1_000))
        if uploaded_at + delay < self._ends_at:
            uploaded_at += delay
        random_bits = f"{self._rng.getrandbits(256):064x}"
        device = client.device
        if device is not None:
            device.events += 1
        row = Row(
            client=client,
            at=at,
            uploaded_at=uploaded_at,
            session=session,
            event_type=event_type,
            properties=properties if isinstance(properties, str) else to_json(properties),
            plan=client.person.plan_at(at) if client.person else FREE,
            course=course,
            number=device.events if device is not None else len(self.rows),
            uuid=as_uuid(random_bits[:32]),
            insert_id=as_uuid(random_bits[32:]),
        )
        self.rows.append(row)
        return row


def as_uuid(digits: str) -> str:
    """32 hexadecimal digits as the text of a UUID (version 4)."""
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def signed_in(learner: Learner, device: Device) -> Client:
    """A learner who signed in on a device."""
    properties: dict[str, object] = {
        "spoken_language": learner.language,
        "initial_channel": learner.channel,
        "account_type": "learner",
        "is_bot": False,
    }
    properties |= learner.about
    if learner.tells_email:
        properties["email"] = learner.email
    template = _template(
        device, learner.user_id, learner.amplitude_id, learner.place, learner.language
    )
    return Client(learner, device, True, False, template, properties)


def signed_out(learner: Learner, device: Device, amplitude_id: int) -> Client:
    """A learner on a device, whom Amplitude does not recognise."""
    template = _template(device, None, amplitude_id, learner.place, learner.language)
    return Client(learner, device, False, False, template, _anonymous(learner.channel))


def reported_by_server(learner: Learner) -> Client:
    """What the school's own servers report about a learner: subscriptions, planned sessions."""
    properties: dict[str, object] = {
        "spoken_language": learner.language,
        "initial_channel": learner.channel,
        "account_type": "learner",
        "is_bot": False,
    }
    device = Device(f"server-{learner.user_id}R", _SERVER, learner.amplitude_id, 0, "")
    template = _template(device, learner.user_id, learner.amplitude_id, None, None)
    return Client(learner, None, True, False, template, properties)


def visiting(visitor: Visitor, device: Device) -> Client:
    """A visitor who never signs in."""
    template = _template(device, None, device.anonymous_id, visitor.place, visitor.language)
    return Client(None, device, False, False, template, _anonymous(visitor.channel))


def automated(robot: Robot) -> Client:
    """A bot, or a test account of the school's staff."""
    properties: dict[str, object] = {
        "spoken_language": "en",
        "account_type": "learner" if robot.is_bot else "test",
        "is_bot": robot.is_bot,
    }
    template = _template(robot.device, robot.user_id, robot.amplitude_id, None, "en")
    return Client(None, robot.device, True, True, template, properties)


def _anonymous(channel: str) -> dict[str, object]:
    return {
        "initial_channel": channel,
        "initial_referrer": f"https://{channel.replace('_', '-')}.example.net/",
        "is_bot": False,
    }


def _template(
    device: Device,
    user_id: str | None,
    amplitude_id: int,
    place: Place | None,
    language: str | None,
) -> str:
    """A row with `%s` wherever the rows of one client differ."""
    hardware = device.hardware
    own = {
        "amplitude_id": amplitude_id,
        "city": place.city if place else None,
        "country": place.country if place else None,
        "region": place.region if place else None,
        "brand": hardware.brand,
        "family": hardware.family or None,
        "model": hardware.model or None,
        "type": hardware.kind or None,
        "device_id": device.device_id,
        "ip": device.ip or None,
        "language": LANGUAGE_NAMES[language] if language else None,
        "library": hardware.library,
        "os_name": hardware.os_name or None,
        "os_version": hardware.os_version or None,
        "platform": hardware.platform or None,
        "version": hardware.version,
        "user_id": user_id,
    }
    return _COLUMNS % {name: to_json(value).replace("%", "%%") for name, value in own.items()}


_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def to_json(value: object) -> str:
    """A value as compact JSON."""
    return _JSON.encode(value)


# All of Amplitude's columns, in its order: %(name)s differs from client to client, %%s from row to
# row. Written out, because building it from a dictionary took most of the time of a demo.
_COLUMNS: Final = (
    '{"$insert_id":"%%s","$insert_key":null,"$schema":13,"adid":null,'
    '"amplitude_attribution_ids":null,"amplitude_event_type":null,"amplitude_id":%(amplitude_id)s,'
    f'"app":{PROJECT},"city":%(city)s,"client_event_time":"%%s","client_upload_time":"%%s",'
    '"country":%(country)s,"data":{},"data_type":"event","device_brand":%(brand)s,'
    '"device_carrier":null,"device_family":%(family)s,"device_id":%(device_id)s,'
    '"device_manufacturer":%(brand)s,"device_model":%(model)s,"device_type":%(type)s,"dma":null,'
    '"event_id":%%s,"event_properties":%%s,"event_time":"%%s","event_type":"%%s",'
    '"global_user_properties":null,"group_properties":{},"groups":{},"idfa":null,'
    '"ip_address":%(ip)s,"is_attribution_event":false,"language":%(language)s,'
    '"library":%(library)s,"location_lat":null,"location_lng":null,"os_name":%(os_name)s,'
    '"os_version":%(os_version)s,"partner_id":null,"paying":null,"plan":{},'
    '"platform":%(platform)s,"processed_time":"%%s","region":%(region)s,"sample_rate":null,'
    '"server_received_time":"%%s","server_upload_time":"%%s","session_id":%%s,"source_id":null,'
    '"start_version":%(version)s,"user_creation_time":null,"user_id":%(user_id)s,'
    '"user_properties":%%s,"uuid":"%%s","version_name":%(version)s}'
)

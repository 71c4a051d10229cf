"""The simulated people: learners, visitors, alumni, bots. Every name and address is synthetic."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Literal

from orchestration.demo.chance import Lots, pick, uuid_text
from orchestration.demo.clock import Period, calendar_day, local_ms
from orchestration.demo.plans import FREE, GRACE_DAYS, PlanStep, plan_journey

Link = Literal["external_id", "email"]


@dataclass(frozen=True)
class Place:
    """Where somebody sits: an Amplitude country, region and city."""

    country: str
    region: str
    city: str


@dataclass(frozen=True)
class Hardware:
    """What Amplitude tells of a device."""

    platform: str
    os_name: str
    os_version: str
    family: str
    brand: str | None
    model: str
    kind: str
    library: str
    version: str | None

    @property
    def is_mobile(self) -> bool:
        """Whether it is used on the move, so that its events may arrive days late."""
        return self.platform != "Web"


@dataclass(eq=False)
class Device:
    """One device of a person.

    Attributes:
        device_id: Amplitude's id of it.
        anonymous_id: the amplitude_id of what is done on it before anybody signs in.
        since: day number of its first use.
        ip: of the documentation ranges.
        is_shared: whether two people sign in on it, so that nobody is anonymous on it.
        events: how many events it has sent: Amplitude's `event_id`.
    """

    device_id: str
    hardware: Hardware
    anonymous_id: int
    since: int
    ip: str
    is_shared: bool = False
    events: int = 0


@dataclass(eq=False)
class Learner:
    """A person with an account.

    Attributes:
        number: from 0; the person behind all ids below.
        joined_day: day number of the signup; before the period for old accounts, whose signup no
            export holds.
        signed_up_at: milliseconds since 1970, null for old accounts.
        stays_weeks: how fast activity fades.
        plans: changes of plan, by time; before the first one the plan is free.
        tells_email: whether Amplitude's user properties hold the e-mail address.
        zendesk: how Zendesk knows the person, null if it does not.
        about: equity attributes that the product was told: gender, disability, prior_education.
        strange_devices: devices on which the person never signs in; only merge files tell whose
            they are.
    """

    number: int
    user_id: str
    name: str
    email: str
    language: str
    place: Place
    channel: str
    amplitude_id: int
    joined_day: int
    signed_up_at: int | None
    stays_weeks: float
    plans: tuple[PlanStep, ...]
    devices: list[Device]
    tells_email: bool
    zendesk: Link | None
    strange_devices: list[Device] = field(default_factory=list)
    about: dict[str, str] = field(default_factory=dict)

    @property
    def is_found_by_email(self) -> bool:
        """Whether an e-mail address alone leads to the account."""
        return self.tells_email or self.zendesk == "external_id"

    def plan_at(self, ms: int) -> str:
        """The plan at an instant."""
        index = bisect_right([step.at for step in self.plans], ms)
        return self.plans[index - 1].plan if index else FREE

    def plan_on(self, day: int) -> str:
        """The plan on a day of the reporting zone: from the day of a change on, the new one."""
        plan = FREE
        for step in self.plans:
            if step.day <= day:
                plan = step.plan
        return plan

    def has_clear_plan(self, day: int) -> bool:
        """Whether no reading of the rules could see another plan on that day.

        Days beside a change are unclear, and so are the days between an end and a renewal within
        the grace period, which are one spell and yet without a plan.
        """
        for step, following in zip_longest(self.plans, self.plans[1:]):
            if abs(day - step.day) <= 1:
                return False
            is_renewed = following is not None and following.day - step.day <= GRACE_DAYS
            if step.event == "plan_ended" and is_renewed and step.day <= day <= following.day + 1:
                return False
        return True


@dataclass(eq=False)
class Visitor:
    """Somebody who looks around and never signs in."""

    devices: list[Device]
    place: Place
    language: str
    channel: str


@dataclass(frozen=True)
class Alumnus:
    """Somebody of the time before accounts, known by an e-mail address only."""

    name: str
    email: str
    language: str


@dataclass(eq=False)
class Robot:
    """A bot or a test account: it has a user id, and the tracking plan leaves it out."""

    user_id: str
    is_bot: bool
    device: Device
    amplitude_id: int


@dataclass(frozen=True)
class Population:
    """Everybody."""

    learners: list[Learner]
    visitors: list[Visitor]
    alumni: list[Alumnus]
    robots: list[Robot]


CHANNELS = Lots.of(
    {
        "organic_search": 28,
        "paid_search": 17,
        "social": 20,
        "referral": 12,
        "partner": 10,
        "direct": 7,
        "email": 6,
    }
)
LANGUAGES = Lots.of({"fr": 45, "en": 25, "es": 12, "ar": 8, "de": 6, "pt": 4})
LANGUAGE_NAMES = {
    "fr": "French",
    "en": "English",
    "es": "Spanish",
    "ar": "Arabic",
    "de": "German",
    "pt": "Portuguese",
}
_PLACES = {
    "fr": (
        Place("France", "Île-de-France", "Paris"),
        Place("France", "Auvergne-Rhône-Alpes", "Lyon"),
        Place("Belgium", "Wallonia", "Liège"),
        Place("Senegal", "Dakar", "Dakar"),
        Place("Côte d'Ivoire", "Abidjan", "Abidjan"),
    ),
    "en": (
        Place("United Kingdom", "England", "London"),
        Place("Ireland", "Leinster", "Dublin"),
        Place("Nigeria", "Lagos", "Lagos"),
    ),
    "es": (Place("Spain", "Madrid", "Madrid"), Place("Spain", "Andalusia", "Málaga")),
    "ar": (
        Place("Morocco", "Casablanca-Settat", "Casablanca"),
        Place("Tunisia", "Tunis", "Tunis"),
    ),
    "de": (Place("Germany", "Berlin", "Berlin"), Place("Austria", "Vienna", "Vienna")),
    "pt": (Place("Portugal", "Lisbon", "Lisbon"),),
}
# Null where the product was not told.
_ABOUT: dict[str, Lots[str | None]] = {
    "gender": Lots.of({"woman": 46, "man": 42, "non-binary": 2, None: 10}),
    "disability": Lots.of({"no": 62, "yes": 9, None: 29}),
    "prior_education": Lots.of(
        {"secondary": 38, "vocational": 17, "bachelor": 22, "master": 9, None: 14}
    ),
}
_WEB = "amplitude-ts/2.11.1"
_HARDWARE = Lots.of(
    {
        Hardware("Web", "Chrome", "126", "Windows", None, "Windows", "Windows", _WEB, None): 40,
        Hardware("Web", "Safari", "17", "Mac OS X", "Apple", "Mac", "Mac", _WEB, None): 15,
        Hardware("Web", "Firefox", "127", "Linux", None, "Linux", "Linux", _WEB, None): 7,
        Hardware(
            "iOS",
            "ios",
            "17.5.1",
            "Apple iPhone",
            "Apple",
            "iPhone14,5",
            "Apple iPhone 13",
            "amplitude-swift/1.6.2",
            "4.12.0",
        ): 16,
        Hardware(
            "Android",
            "android",
            "14",
            "Samsung Phone",
            "samsung",
            "SM-A546B",
            "Samsung Galaxy A54",
            "amplitude-kotlin/1.16.7",
            "4.12.0",
        ): 22,
    }
)
_GIVEN_NAMES = (
    *("Ada", "Alan", "Amal", "Amina", "Anouk", "Bruno", "Carla", "Chidi", "Clara", "Diego"),
    *("Elena", "Emil", "Fatou", "Grace", "Hugo", "Ines", "Jonas", "Karim", "Lena", "Lucas"),
    *("Mara", "Nadia", "Noah", "Omar", "Paula", "Rania", "Samir", "Sofia", "Tiago", "Zoe"),
)
# Surnames that no list of real people holds.
_SURNAMES = ("Example", "Sample", "Specimen", "Placeholder", "Ejemplo", "Exemple", "Fictif", "Demo")
_SEASON = (1.15, 1.0, 1.0, 0.95, 0.9, 0.85, 0.75, 0.6, 1.35, 1.2, 1.0, 0.7)
_WEEKDAY = (1.15, 1.2, 1.15, 1.05, 0.9, 0.65, 0.9)
_DOCUMENTATION_NETS = ("192.0.2", "198.51.100", "203.0.113")
_FIRST_OLD_DAYS = 420


def populate(rng: random.Random, learners: int, period: Period) -> Population:
    """Draw everybody: `learners` people with an account, and the others in proportion."""
    signup_days = Lots.of({day: _signup_weight(day, period) for day in period.days})
    with_account = [_learner(rng, number, period, signup_days) for number in range(learners)]
    _add_devices(rng, with_account, period)
    _add_zendesk(rng, with_account)
    visitors = [_visitor(rng, signup_days) for _ in range(max(6, round(0.4 * learners)))]
    alumni = [_alumnus(rng, number) for number in range(max(24, learners // 80))]
    bots = max(3, learners // 250)
    tests = max(2, learners // 500)
    robots = [_robot(rng, number, number < bots, period) for number in range(bots + tests)]
    return Population(with_account, visitors, alumni, robots)


def tell_about(rng: random.Random, learners: Sequence[Learner]) -> None:
    """Let learners tell the product about themselves, or not."""
    for learner in learners:
        drawn = {name: lots.draw(rng) for name, lots in _ABOUT.items()}
        learner.about = {name: value for name, value in drawn.items() if value is not None}


def weekday_weight(day: int) -> float:
    """How busy a weekday is; 1970-01-01 was a Thursday."""
    return _WEEKDAY[(day + 3) % 7]


def new_amplitude_id(rng: random.Random) -> int:
    """An id of Amplitude's: 12 digits."""
    return rng.randrange(10**11, 10**12)


def new_device(rng: random.Random, since: int) -> Device:
    """A device that nobody has used yet."""
    hardware = _HARDWARE.draw(rng)
    text = uuid_text(rng)
    if hardware.platform == "iOS":
        text = text.upper()
    elif hardware.platform == "Android":
        text += "R"
    net = rng.choice(_DOCUMENTATION_NETS)
    return Device(text, hardware, new_amplitude_id(rng), since, f"{net}.{rng.randrange(1, 255)}")


def _signup_weight(day: int, period: Period) -> float:
    growth = math.exp(1.1 * (day - period.days.start) / 540)
    return growth * weekday_weight(day) * _SEASON[calendar_day(day).month - 1]


def _learner(rng: random.Random, number: int, period: Period, signup_days: Lots[int]) -> Learner:
    is_old = number % 8 == 3
    if is_old:
        joined_day, signed_up_at = period.days.start - rng.randrange(2, _FIRST_OLD_DAYS), None
    else:
        joined_day = signup_days.draw(rng)
        signed_up_at = local_ms(joined_day, rng.randrange(8 * 3600, 22 * 3600))
    language = LANGUAGES.draw(rng)
    name, email = _name_and_address(rng, number)
    plans = plan_journey(rng, joined_day, period)
    paid = max((("free", "SPARK", "degree").index(step.plan) for step in plans), default=0)
    median_weeks = (1.6, 7.0, 22.0)[paid]
    return Learner(
        number=number,
        user_id=f"stu_{100_000 + number}",
        name=name,
        email=email,
        language=language,
        place=rng.choice(_PLACES[language]),
        channel=CHANNELS.draw(rng),
        amplitude_id=new_amplitude_id(rng),
        joined_day=joined_day,
        signed_up_at=signed_up_at,
        stays_weeks=median_weeks * rng.lognormvariate(0, 0.8),
        plans=plans,
        devices=[],
        tells_email=rng.random() < 0.55,
        zendesk=None,
    )


def _add_devices(rng: random.Random, learners: Sequence[Learner], period: Period) -> None:
    """One device for everybody, a second for some, and a few that two people share."""
    for learner in learners:
        first_day = max(learner.joined_day, period.days.start)
        learner.devices.append(new_device(rng, first_day))
        if rng.random() < 0.3 and first_day + 7 < period.days.stop:
            since = min(first_day + rng.randrange(3, 120), period.days.stop - 2)
            learner.devices.append(new_device(rng, since))
    # Whose would an anonymous visit on a shared device be? Old accounts have none on their first.
    owners = [learner for learner in learners if learner.signed_up_at is None]
    for owner in pick(rng, owners, max(2, len(learners) // 300)):
        guest = rng.choice([learner for learner in learners if learner is not owner])
        owner.devices[0].is_shared = True
        guest.devices.append(owner.devices[0])


def _add_zendesk(rng: random.Random, learners: Sequence[Learner]) -> None:
    for learner in pick(rng, learners, max(12, round(len(learners) * 0.13))):
        learner.zendesk = "external_id" if rng.random() < 0.7 else "email"


def _visitor(rng: random.Random, days: Lots[int]) -> Visitor:
    language = LANGUAGES.draw(rng)
    since = days.draw(rng)
    devices = [new_device(rng, since)]
    if rng.random() < 0.06:
        devices.append(new_device(rng, since))
    return Visitor(devices, rng.choice(_PLACES[language]), language, CHANNELS.draw(rng))


def _alumnus(rng: random.Random, number: int) -> Alumnus:
    name, email = _name_and_address(rng, 900_000 + number)
    return Alumnus(name, email, LANGUAGES.draw(rng))


def _robot(rng: random.Random, number: int, is_bot: bool, period: Period) -> Robot:
    prefix = "bot" if is_bot else "test"
    device = new_device(rng, period.days.start)
    return Robot(f"{prefix}_{number + 1}", is_bot, device, new_amplitude_id(rng))


def _name_and_address(rng: random.Random, number: int) -> tuple[str, str]:
    given, surname = rng.choice(_GIVEN_NAMES), rng.choice(_SURNAMES)
    return f"{given} {surname}", f"{given}.{surname}.{number}@example.org".lower()

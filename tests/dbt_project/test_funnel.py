"""Funnels against an answer that tries every way of taking the steps."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import pytest

from tests.dbt_project.harness import School

BEGIN = datetime(2024, 3, 30, 22, 59, 50)
MIDNIGHT = 10  # seconds after it, in Paris
AS_OF = 40
ORDERS = ("ordered", "strict", "unordered")


@dataclass(frozen=True)
class Event:
    """A letter in a second."""

    second: int
    kind: str
    value: str | None = None


@dataclass(frozen=True)
class Funnel:
    """Steps and exclusions are the letters that match, such as "ab"."""

    order: str
    steps: Sequence[str]
    window: int
    exclusions: Sequence[tuple[str, int, int]] = ()
    hold: bool = False
    from_midnight: bool = False

    def call(self, macro: str) -> str:
        arguments: dict[str, Any] = {
            "relation": "raw.letters",
            "steps": [[f"step {step}", _condition(step)] for step in self.steps],
            "window_seconds": self.window,
            "order": self.order,
            "exclusions": [[_condition(kinds), *between] for kinds, *between in self.exclusions],
            "as_of_at": f"timestamp '{BEGIN + timedelta(seconds=AS_OF)}'",
        }
        if self.hold:
            arguments["hold_constant"] = "value"
        if self.from_midnight:
            arguments["from_day"] = "2024-03-31"
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        return f"{{{{ {macro}({given}) }}}}"


def _condition(kinds: str) -> str:
    return "kind in ({})".format(", ".join(f"'{kind}'" for kind in kinds))


Attempt = tuple[int, ...]  # the seconds in which the steps were reached


def ways_in_order(events: Sequence[Event], funnel: Funnel) -> Iterator[Attempt]:
    """Every sequence of different events that match the steps, for each prefix of the steps."""

    def go_on(taken: list[int]) -> Iterator[list[int]]:
        yield taken
        if len(taken) == len(funnel.steps):
            return
        for number, event in enumerate(events):
            if number in taken or event.kind not in funnel.steps[len(taken)]:
                continue
            if taken and event.second < events[taken[-1]].second:
                continue
            if not taken and funnel.from_midnight and event.second < MIDNIGHT:
                continue
            if taken and event.second > events[taken[0]].second + funnel.window:
                continue
            yield from go_on([*taken, number])

    for way in go_on([]):
        if way:
            yield tuple(events[number].second for number in way)


def ordered_attempts(events: Sequence[Event], funnel: Funnel) -> Iterator[Attempt]:
    """From each second of step 1: each step at the earliest second of any way that reaches it."""
    ways = defaultdict(list)
    for way in ways_in_order(events, funnel):
        ways[way[0]].append(way)
    for begun in ways.values():
        longest = max(len(way) for way in begun)
        yield tuple(min(way[step] for way in begun if len(way) > step) for step in range(longest))


def strict_attempts(events: Sequence[Event], funnel: Funnel) -> Iterator[Attempt]:
    """Runs of events in every order that the seconds allow; for each second of step 1, and each
    number of steps taken in it, the longest run, then the earliest.
    """
    seconds = [
        list(group)
        for _, group in itertools.groupby(
            sorted(events, key=lambda event: event.second), key=lambda event: event.second
        )
    ]
    runs = defaultdict(list)
    for orders in itertools.product(*(itertools.permutations(group) for group in seconds)):
        line = [event for order in orders for event in order]
        for start, first in enumerate(line):
            if funnel.from_midnight and first.second < MIDNIGHT:
                continue
            run: list[int] = []
            for event, step in zip(line[start:], funnel.steps, strict=False):
                if event.kind not in step or event.second > first.second + funnel.window:
                    break
                run.append(event.second)
            if run:
                runs[first.second, run.count(first.second)].append(tuple(run))
    for same in runs.values():
        yield min(same, key=lambda run: (-len(run), run))


def unordered_attempts(events: Sequence[Event], funnel: Funnel) -> Iterator[Attempt]:
    """From each second of any step: k steps are reached when k events can take one step each."""
    for begin in {event.second for event in events}:
        if funnel.from_midnight and begin < MIDNIGHT:
            continue
        known = [event for event in events if begin <= event.second <= begin + funnel.window]
        reached = []
        for size in range(1, len(funnel.steps) + 1):
            ends = [
                max(event.second for event in chosen)
                for steps in itertools.combinations(funnel.steps, size)
                for chosen in itertools.permutations(known, size)
                if any(event.second == begin for event in chosen)
                and all(event.kind in step for event, step in zip(chosen, steps, strict=True))
            ]
            if not ends:
                break
            reached.append(min(ends))
        if reached:
            yield tuple(reached)


ATTEMPTS = {
    "ordered": ordered_attempts,
    "strict": strict_attempts,
    "unordered": unordered_attempts,
}


def is_void(attempt: Attempt, events: Sequence[Event], funnel: Funnel) -> bool:
    for kinds, first, last in funnel.exclusions:
        if len(attempt) < first:
            continue
        after = attempt[first - 1]
        end = attempt[last - 1] if len(attempt) >= last else attempt[0] + funnel.window + 1
        if any(event.kind in kinds and after < event.second < end for event in events):
            return True
    return False


def counted(events: Sequence[Event], funnel: Funnel) -> tuple[int, bool, Attempt] | None:
    """Steps reached, whether the window is open, and when, of the attempt that counts."""
    known = [event for event in events if event.second < AS_OF]
    attempts = [
        attempt
        for attempt in ATTEMPTS[funnel.order](known, funnel)
        if not is_void(attempt, known, funnel)
    ]
    if not attempts:
        return None
    best = min(attempts, key=lambda attempt: (-len(attempt), attempt))
    return len(best), best[0] + funnel.window >= AS_OF, best


def units(learners: Mapping[int, Sequence[Event]], funnel: Funnel) -> Iterator[Sequence[Event]]:
    for events in learners.values():
        if not funnel.hold:
            yield events
        for value in {event.value for event in events} - {None} if funnel.hold else ():
            yield [event for event in events if event.value == value]


@pytest.fixture(scope="module")
def learners() -> dict[int, list[Event]]:
    """Learners whose events often share a second, early, around midnight or before as-of."""
    chance = random.Random(5)
    school = {}
    for learner in range(160):
        begin = chance.choice([0, 5, 30])
        school[learner] = [
            Event(
                begin + int(chance.random() ** 2 * 14),
                chance.choice("aaabbbccd"),
                chance.choice(["u", "u", "v", None]),
            )
            for _ in range(chance.randrange(1, 7))
        ]
    return school


@pytest.fixture(scope="module")
def school(
    tmp_path_factory: pytest.TempPathFactory, learners: Mapping[int, Sequence[Event]]
) -> School:
    school = School(tmp_path_factory.mktemp("funnel"))
    chance = random.Random(6)
    rows = ", ".join(
        f"({learner}, timestamp '{BEGIN + timedelta(seconds=event.second)}' "
        f"+ to_microseconds({chance.randrange(1_000_000)}), '{event.kind}', "
        + ("null)" if event.value is None else f"'{event.value}')")
        for learner, events in learners.items()
        for event in events
    )
    school.execute(
        "create table raw.letters as select * from (values "
        f"{rows}) as letters (learner_key, event_at, kind, value)"
    )
    return school


def funnels() -> list[Funnel]:
    """Each order with steps that share no event, that are the same, and that overlap."""
    chance = random.Random(7)
    steps = [
        ["a", "b"],
        ["a", "b", "c"],
        ["a", "a"],
        ["a", "b", "a"],
        ["ab", "b", "a"],
        ["ab", "bc", "a", "c"],
        ["a", "ab", "abc"],
    ]
    chosen = []
    for order, these in itertools.product(ORDERS, steps):
        for exclude in (False, True):
            first = chance.randrange(1, len(these))
            chosen.append(
                Funnel(
                    order=order,
                    steps=these,
                    window=chance.choice([1, 3, 8, 20]),
                    exclusions=(
                        [("d", first, chance.randrange(first + 1, len(these) + 1))]
                        + ([("c", 1, 2)] if chance.random() < 0.3 else [])
                        if exclude
                        else []
                    ),
                    hold=chance.random() < 0.25,
                    from_midnight=chance.random() < 0.4,
                )
            )
    return chosen


def test_the_attempt_that_counts_is_the_best_of_all(
    school: School, learners: Mapping[int, Sequence[Event]]
) -> None:
    chosen = funnels()
    results = school.run_all([funnel.call("funnel_attempts") for funnel in chosen])
    seen: Counter[tuple[str, int, bool]] = Counter()
    for funnel, built in zip(chosen, results, strict=True):
        expected = Counter(
            attempt
            for events in units(learners, funnel)
            if (attempt := counted(events, funnel)) is not None
        )
        epoch = int((BEGIN - datetime(1970, 1, 1)).total_seconds())
        actual = Counter(
            (steps, is_open, tuple(second - epoch for second in seconds if second is not None))
            for _, steps, is_open, *seconds in built
        )
        assert actual == expected, funnel
        seen.update((funnel.order, steps, is_open) for steps, is_open, _ in expected)
    # The random school has something of everything, or the test would show nothing.
    assert all(seen[order, 2, is_open] > 5 for order in ORDERS for is_open in (True, False))
    assert all(seen[order, 3, False] > 5 for order in ORDERS)


def test_a_funnel_adds_the_attempts_up(
    school: School, learners: Mapping[int, Sequence[Event]]
) -> None:
    chosen = [Funnel(order, ["a", "b", "c"], 8, [("d", 1, 3)]) for order in ORDERS]
    for funnel, built in zip(
        chosen, school.run_all([funnel.call("funnel") for funnel in chosen]), strict=True
    ):
        attempts = [
            attempt
            for events in learners.values()
            if (attempt := counted(events, funnel)) is not None
        ]
        expected: list[tuple[Any, ...]] = []
        for step, kinds in enumerate(funnel.steps, 1):
            reached = [attempt for attempt in attempts if attempt[0] >= step]
            row: tuple[Any, ...] = (step, f"step {kinds}", len(reached), None, None, None)
            if step < len(funnel.steps):
                got_on = [seconds for steps, _, seconds in reached if steps > step]
                waiting = [1 for steps, is_open, _ in reached if steps == step and is_open]
                times = [seconds[step] - seconds[step - 1] for seconds in got_on]
                row = (*row[:3], len(got_on), len(waiting), median(times))
            expected.append(row)
        assert sorted(built) == expected, funnel
        assert expected[0][4] > 0, "nobody is pending"


def test_events_are_scanned_once(school: School) -> None:
    for order in ORDERS:
        funnel = Funnel(order, ["a", "ab", "c"], 8, [("d", 1, 3)], hold=True)
        plan = school.run_sql("explain " + funnel.call("funnel"))[0][1]
        assert plan.count("letters") == 1, order


def test_ten_steps_are_possible_and_eleven_are_not(
    school: School, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(school.run_sql(Funnel("ordered", "abcabcabca", 20).call("funnel"))) == 10
    with pytest.raises(AssertionError):
        school.run_sql(Funnel("ordered", "abcabcabcab", 20).call("funnel"))
    assert "it takes a list of two to ten [name, condition]" in capsys.readouterr().out

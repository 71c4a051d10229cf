"""Attribution against credits given one conversion after the other."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from tests.dbt_project.harness import School

START = datetime(2024, 1, 1)
MILLIONTH = Decimal("0.000001")

Moment = tuple[int, datetime]  # learner and when
Touch = tuple[int, str, datetime]


def credits(
    conversions: list[Moment], touches: list[Touch], model: str, days: int
) -> dict[tuple[int, datetime, str], Decimal]:
    """What each channel gets of each conversion."""
    given: dict[tuple[int, datetime, str], Decimal] = defaultdict(Decimal)
    for learner, at in conversions:
        channels = [
            channel
            for touched_at, channel in sorted(
                (touched_at, channel) for who, channel, touched_at in touches if who == learner
            )
            if at - timedelta(days=days) <= touched_at <= at
        ] or ["none"]
        if model == "first":
            given[learner, at, channels[0]] += 1
        elif model == "last":
            given[learner, at, channels[-1]] += 1
        else:
            share = (Decimal(1) / len(channels)).quantize(MILLIONTH, rounding="ROUND_FLOOR")
            for channel in channels[:-1]:
                given[learner, at, channel] += share
            given[learner, at, channels[-1]] += 1 - share * (len(channels) - 1)
    return given


def test_credits_are_those_of_one_conversion_after_the_other_and_add_up(tmp_path: Path) -> None:
    chance = random.Random(3)

    def moment() -> datetime:
        return START + timedelta(hours=12 * chance.randrange(60))

    conversions = sorted({(chance.randrange(40), moment()) for _ in range(60)})
    touches = [
        (chance.randrange(40), chance.choice(["ad", "search", "partner"]), moment())
        for _ in range(260)
    ]
    conversion_rows = ", ".join(f"({who}, timestamp '{at}')" for who, at in conversions)
    touch_rows = ", ".join(
        f"({who}, '{channel}', timestamp '{at}')" for who, channel, at in touches
    )
    models = ["first", "last", "linear"]
    lookbacks = (0, 3, 30)
    results = School(tmp_path).run_all(
        [
            "select * from ({{ attribution("
            'conversions="(values '
            f'{conversion_rows}) as given (learner_key, converted_at)", '
            f'touches="(values {touch_rows}) as seen (learner_key, channel, touched_at)", '
            f"models={asked}, lookback_days={days}) }}}})"
            for asked in (models, ["linear"])
            for days in lookbacks
        ]
    )
    for days, rows, linear in zip(lookbacks, results[:3], results[3:], strict=True):
        built = {(model, who, at, channel): credit for model, who, at, channel, credit in rows}
        assert len(built) == len(rows)
        assert built == {
            (model, *given): credit
            for model in models
            for given, credit in credits(conversions, touches, model, days).items()
        }, days
        for model in models:
            assert sum(credit for key, credit in built.items() if key[0] == model) == len(
                conversions
            ), (model, days)
        assert sorted(linear) == sorted(row for row in rows if row[0] == "linear")
    thirds = [credit for *_, credit in results[-1] if credit not in (0, 1)]
    assert Decimal("0.333333") in thirds
    assert Decimal("0.333334") in thirds

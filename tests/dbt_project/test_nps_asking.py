"""Who is asked, who answers, what they write, what changes: against plain Python."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from orchestration.defs.transform.plots import PLOTS
from tests.dbt_project.harness import School, reporting_day
from tests.dbt_project.test_nps import category_of, interval

THEMES = ("career", "pace", "price", "support")
Z = 1.959963984540054


@dataclass(frozen=True)
class Asked:
    """Somebody was asked once.

    Attributes:
        comes_by: `in_app` (every delivery is known), `mail` (Satismeter's, deliveries unknown),
            `invited` (a CSV of invitations) or `answers` (a CSV of answers alone).
        score: null where nothing was answered.
    """

    number: int
    learner: UUID | None
    comes_by: str
    at: datetime
    answered_at: datetime
    score: int | None
    is_delivered: bool
    is_pending: bool
    themes: tuple[str, ...] | None

    @property
    def response_id(self) -> UUID:
        return UUID(int=(1 << 96) + self.number)

    @property
    def survey(self) -> str:
        return "in_app" if self.comes_by in ("in_app", "mail") else self.comes_by

    @property
    def asked_on(self) -> date:
        return reporting_day(self.at)

    @property
    def is_response(self) -> bool:
        return self.score is not None and not self.is_pending


def _asked(chance: random.Random) -> list[Asked]:
    found = []
    for number in range(2_400):
        comes_by = chance.choice(("in_app", "mail", "invited", "answers"))
        at = datetime(2024, 1, 1) + timedelta(minutes=chance.randrange(430 * 1440))
        later = timedelta(days=chance.randrange(20)) if comes_by == "invited" else timedelta()
        answers = comes_by == "answers" or chance.random() < 0.5
        is_pending = comes_by in ("in_app", "mail") and chance.random() < 0.1
        spring = at.month in (3, 4, 5)
        scores = (10, 9, 9, 8, 3) if spring else (10, 9, 7, 6, 3, 0)
        writes = answers and chance.random() < 0.6
        found.append(
            Asked(
                number=number,
                learner=UUID(int=(2 << 96) + chance.randrange(400))
                if chance.random() < 0.9
                else None,
                comes_by=comes_by,
                at=at,
                answered_at=at + later,
                score=chance.choice(scores) if answers else None,
                is_delivered=answers or comes_by == "in_app" or chance.random() < 0.8,
                is_pending=is_pending,
                themes=_themes(chance) if writes else None,
            )
        )
    return found


def _themes(chance: random.Random) -> tuple[str, ...]:
    found = chance.sample(THEMES, chance.randrange(3))
    return tuple(sorted([*found, "rare"] if chance.random() < 0.02 else found))


def _row(one: Asked) -> dict[str, Any]:
    return {
        "response_id": one.response_id,
        "email_key": one.learner,
        "survey": one.survey,
        "nps_score": None if one.score is None else str(one.score),
        "comment": None if one.themes is None else "words",
        "themes": None if one.themes is None else list(one.themes),
    }


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[School, list[Asked]]:
    everybody = _asked(random.Random(20240401))
    school = School(tmp_path_factory.mktemp("asking"))
    school.exported_at("2025-06-01 00:00:00")
    school.insert(
        "satismeter_responses",
        [
            {
                **_row(one),
                "created_at": one.at,
                "method": one.comes_by,
                "is_dismissed": one.score is None and not one.is_pending,
                "is_pending": one.is_pending,
                "is_delivered": True if one.comes_by == "in_app" else None,
            }
            for one in everybody
            if one.survey == "in_app"
        ],
    )
    school.insert(
        "survey_responses",
        [
            {
                **_row(one),
                "source": "survey",
                "submitted_at": None if one.score is None else one.answered_at,
                "invited_at": one.at if one.comes_by == "invited" else None,
                "is_delivered": one.is_delivered if one.comes_by == "invited" else None,
            }
            for one in everybody
            if one.survey != "in_app"
        ],
    )
    school.build_models("+marts.nps")
    return school, everybody


def test_rates_are_answered_of_delivered_where_deliveries_are_known(
    asked: tuple[School, list[Asked]],
) -> None:
    school, everybody = asked
    expected: dict[Any, list[int | None]] = {}
    for one in everybody:
        method = one.comes_by if one.survey == "in_app" else "unknown"
        group = (one.asked_on.replace(day=1), one.survey, method)
        counts = expected.setdefault(group, [0, 0])
        counts[1] = (counts[1] or 0) + one.is_response
        known = one.comes_by in ("in_app", "invited")
        counts[0] = (counts[0] or 0) + one.is_delivered if known else None

    found = school.query(
        "select month, survey, method, sum(delivered)::bigint, sum(answered)::bigint, "
        "count(*) filter (response_rate is null) = count(*) "
        "from nps.agg_nps_response_rates group by all"
    )

    assert {row[:3]: list(row[3:5]) for row in found} == expected
    for *_, delivered, _, is_unknown in found:
        assert is_unknown == (delivered is None)
    rates = school.query(
        "select distinct response_rate from nps.agg_nps_response_rates "
        "where survey = 'answers' or method = 'mail'"
    )
    assert rates == [(None,)]


def test_fatigue_counts_whoever_is_asked_within_90_days_of_the_last_time(
    asked: tuple[School, list[Asked]],
) -> None:
    school, everybody = asked
    expected: dict[Any, Counter[str]] = defaultdict(Counter)
    last: dict[UUID, Asked] = {}
    for one in sorted(everybody, key=lambda o: (o.asked_on, _dated(o), o.response_id)):
        if one.learner is None:
            continue
        counts = expected[one.asked_on.replace(day=1), one.survey]
        before = last.get(one.learner)
        last[one.learner] = one
        counts["asked"] += 1
        counts["answered"] += one.is_response
        if before is not None and (one.asked_on - before.asked_on).days <= 90:
            counts["again"] += 1
            counts["after an answer"] += before.is_response
            counts["answered again"] += one.is_response

    found = school.query(
        "select month, survey, asked, asked_again, asked_again_after_an_answer, answered, "
        "answered_again from nps.agg_survey_fatigue"
    )

    names = ("asked", "again", "after an answer", "answered", "answered again")
    assert {row[:2]: row[2:] for row in found} == {
        group: tuple(counts[name] for name in names) for group, counts in expected.items()
    }
    assert sum(counts["again"] for counts in expected.values()) > 300


def _dated(one: Asked) -> datetime:
    """When it stands in the marts: at the answer, else at the invitation."""
    return one.answered_at if one.score is not None else one.at


def test_changes_compare_each_month_with_the_last_one_that_has_responses(
    asked: tuple[School, list[Asked]],
) -> None:
    school, everybody = asked
    months: dict[str, dict[date, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for one in everybody:
        if one.is_response and one.score is not None:
            month = reporting_day(_dated(one)).replace(day=1)
            months[one.survey][month][category_of(one.score)] += 1

    found = school.query(
        "select survey, previous_month, month, difference, difference_low, difference_high, "
        "verdict from nps.nps_change where basis = 'all_responses' and plan = 'all'"
    )

    assert len(found) == sum(len(own) - 1 for own in months.values())
    verdicts: Counter[str] = Counter()
    for survey, previous_month, month, difference, low, high, verdict in found:
        before, after = months[survey][previous_month], months[survey][month]
        assert not [one for one in months[survey] if previous_month < one < month]
        assert difference == pytest.approx(_score(after) - _score(before))
        assert (low, high) == pytest.approx(_change(before, after))
        assert verdict == _verdict(before, after)
        verdicts[verdict] += 1
    assert len(verdicts) >= 3


def _score(bands: Counter[str]) -> float:
    return 100 * (bands["promoter"] - bands["detractor"]) / bands.total()


def _change(before: Counter[str], after: Counter[str]) -> tuple[float, float]:
    """From the intervals of the two months: they have the same form, so half widths add up."""
    middles, squares = [], 0.0
    for bands in (before, after):
        n = bands.total() + 3
        up, down = (bands["promoter"] + 0.75) / n, (bands["detractor"] + 0.75) / n
        middles.append(up - down)
        squares += (up + down - (up - down) ** 2) / n
    middle, half = middles[1] - middles[0], Z * math.sqrt(squares)
    return 100 * (middle - half), 100 * (middle + half)


def _verdict(before: Counter[str], after: Counter[str]) -> str:
    low, high = _change(before, after)
    if min(before.total(), after.total()) < 30:
        return "too few responses to say"
    if low > 0:
        return "rose by more than chance explains"
    return "fell by more than chance explains" if high < 0 else "may be chance"


def test_themes_have_a_share_and_a_score_or_are_suppressed(
    asked: tuple[School, list[Asked]],
) -> None:
    school, everybody = asked
    comments: Counter[date] = Counter()
    mentions: dict[Any, list[Asked]] = defaultdict(list)
    for one in everybody:
        if one.themes is None or not one.is_response:
            continue
        day = reporting_day(_dated(one))
        quarter = date(day.year, 1 + 3 * ((day.month - 1) // 3), 1)
        comments[quarter] += 1
        for theme in one.themes or ("none",):
            mentions[quarter, theme].append(one)

    found = school.query(
        "select quarter, theme, comments, mentions, share, promoters, passives, detractors, nps, "
        "nps_low, nps_high, is_suppressed from nps.agg_nps_themes"
    )

    assert {row[:2] for row in found} == set(mentions)
    suppressed = 0
    for quarter, theme, total, number, *figures, is_suppressed in found:
        own = mentions[quarter, theme]
        people = {one.learner or one.response_id for one in own}
        others = comments[quarter] - len(own)
        assert is_suppressed == (len(people) < 10 or 0 < others < 10)
        if is_suppressed:
            suppressed += 1
            assert [number, *figures] == [None] * 8
            continue
        bands = Counter(category_of(one.score) for one in own if one.score is not None)
        share, promoters, passives, detractors, nps, low, high = figures
        assert (total, number) == (comments[quarter], len(own))
        assert share == pytest.approx(len(own) / comments[quarter])
        assert (promoters, passives, detractors) == (
            bands["promoter"],
            bands["passive"],
            bands["detractor"],
        )
        assert nps == pytest.approx(_score(bands))
        assert (low, high) == pytest.approx(
            interval(bands["promoter"], bands["detractor"], bands.total())
        )
    assert 0 < suppressed < len(found)


def test_comments_of_submitted_answers_stand_with_their_score(
    asked: tuple[School, list[Asked]],
) -> None:
    school, everybody = asked
    found = school.query("select response_id, score, themes from nps.nps_comments")
    assert {row[0]: (row[1], tuple(row[2])) for row in found} == {
        one.response_id: (one.score, one.themes)
        for one in everybody
        if one.themes is not None and not one.is_pending
    }


def test_small_groups_are_flagged(asked: tuple[School, list[Asked]]) -> None:
    school, _ = asked
    found = school.query(
        "select is_small_group, min(respondents), max(respondents) from nps.agg_nps group by all "
        "order by all"
    )
    (no, smallest, _), (yes, _, largest) = found
    assert (no, yes) == (False, True)
    assert largest < 30 <= smallest


def test_the_plot_draws_the_score_and_band_of_each_month_from_sums(
    asked: tuple[School, list[Asked]],
) -> None:
    school, everybody = asked
    bands: dict[date, Counter[str]] = defaultdict(Counter)
    for one in everybody:
        if one.is_response and one.score is not None:
            month = reporting_day(_dated(one)).replace(day=1)
            bands[month][category_of(one.score)] += 1
    (plot,) = [plot for plot in PLOTS if plot.mart == "agg_nps"]

    rows = school.query(plot.query)

    assert {row[0] for row in rows} == set(bands)
    names = ("month", "respondents", "nps", "nps_low", "nps_high", "is_small_group")
    for month, respondents, nps, low, high, is_small in rows:
        own = bands[month]
        assert (respondents, is_small) == (own.total(), own.total() < 30)
        assert nps == pytest.approx(_score(own))
        assert (low, high) == pytest.approx(
            interval(own["promoter"], own["detractor"], own.total())
        )
    drawing = plot.draw([dict(zip(names, row, strict=True)) for row in rows])
    assert drawing.startswith(b"<svg")

"""NPS against an independent answer: what is a response, who answered last, scores from sums."""

from __future__ import annotations

import json
import math
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from statistics import NormalDist
from typing import Any
from uuid import UUID

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multinomial

from orchestration.settings import REPOSITORY
from tests.dbt_project.harness import School, reporting_day

CASES = REPOSITORY.parent / "shared" / "cases" / "preppin_040.json"
ANSWERS = (
    *map(str, range(11)),
    *("9", "10", "8", "3") * 3,
    "11",
    "-1",
    "7.5",
    "8.0",
    "ten",
    None,
    "",
)
PLANS = ("free", "SPARK", "degree", None)
SUMS = "{{ nps_score('promoters', 'detractors', 'respondents') }}"
LOW = "{{ nps_interval('promoters', 'detractors', 'respondents', 'low') }}"
HIGH = "{{ nps_interval('promoters', 'detractors', 'respondents', 'high') }}"


def score_of(answer: str | None) -> int | None:
    """A whole number from 0 to 10, else None."""
    try:
        number = float(answer or "")
    except ValueError:
        return None
    return int(number) if number in range(11) else None


def category_of(score: int) -> str:
    return "promoter" if score > 8 else "passive" if score > 6 else "detractor"


def interval(promoters: int, detractors: int, respondents: int) -> tuple[float, float]:
    """Adjusted Wald: a multinomial with 3/4 more promoters and detractors, and 3/2 passives."""
    n = respondents + 3
    up, down = (promoters + 0.75) / n, (detractors + 0.75) / n
    mean = up - down
    variance = up * (1 - mean) ** 2 + down * (-1 - mean) ** 2 + (1 - up - down) * mean**2
    half = NormalDist().inv_cdf(0.975) * math.sqrt(variance / n)
    return max(-100.0, 100 * (mean - half)), min(100.0, 100 * (mean + half))


def rounded(figure: float, digits: int) -> Decimal:
    """Half away from zero."""
    return Decimal(repr(figure)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


@dataclass(frozen=True)
class Answer:
    """One answer as loaded, whether from a CSV or from the app."""

    response_id: UUID
    learner: UUID | None
    survey: str
    at: datetime
    answer: str | None
    plan: str | None
    course_id: str | None
    is_counted: bool

    @property
    def group(self) -> tuple[Any, ...]:
        month = reporting_day(self.at).replace(day=1)
        return month, self.survey, self.plan or "unknown", self.course_id or "unknown"


def _answers(chance: random.Random) -> list[Answer]:
    # Around the change of months and to summer time, so that the zone matters.
    return [
        Answer(
            response_id=UUID(int=(1 << 96) + chance.getrandbits(60)),
            learner=UUID(int=(2 << 96) + chance.randrange(150)) if chance.random() < 0.8 else None,
            survey=chance.choice(("alumni", "quarterly", "in_app")),
            at=datetime(2024, 3, 30) + timedelta(hours=chance.randrange(72)),
            answer=chance.choice(ANSWERS),
            plan=chance.choice(PLANS),
            course_id=chance.choice(("c1", None)),
            is_counted=chance.random() < 0.9,
        )
        for _ in range(3000)
    ]


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[School, list[Answer]]:
    answers = _answers(random.Random(20240331))
    school = School(tmp_path_factory.mktemp("nps"))
    school.exported_at("2024-05-01 00:00:00")
    shared = [
        {
            "response_id": one.response_id,
            "nps_score": one.answer,
            "survey": one.survey,
            "email_key": one.learner,
            "plan": one.plan,
            "course_id": one.course_id,
            "at": one.at,
            "is_counted": one.is_counted,
        }
        for one in answers
    ]
    in_app, in_files = [], []
    for row in shared:
        at, is_counted = row.pop("at"), row.pop("is_counted")
        if row["survey"] == "in_app":
            state = {"is_dismissed": not is_counted, "is_pending": False}
            in_app.append({"created_at": at, **state, **row})
        else:
            in_files.append({"submitted_at": at, "source": "survey", **row})
    school.insert("satismeter_responses", in_app)
    school.insert("survey_responses", in_files)
    school.insert(
        "survey_responses",
        [{"survey": "contracts", "source": "contract", "submitted_at": "2024-03-01 00:00:00"}],
    )
    school.build_models("+marts.nps")
    return school, answers


def _responses(answers: list[Answer]) -> dict[UUID, tuple[Answer, int]]:
    return {
        one.response_id: (one, score)
        for one in answers
        if (score := score_of(one.answer)) is not None
        and (one.is_counted or one.survey != "in_app")
    }


def _last_ones(responses: dict[UUID, tuple[Answer, int]]) -> set[UUID]:
    last: dict[Any, tuple[datetime, UUID]] = {}
    for one, _ in responses.values():
        whose = one.learner or one.response_id
        place = (whose, one.survey, reporting_day(one.at).replace(day=1))
        last[place] = max(
            last.get(place, (datetime.min, one.response_id)), (one.at, one.response_id)
        )
    return {response_id for _, response_id in last.values()}


def test_responses_are_whole_numbers_from_0_to_10_with_their_category(
    answered: tuple[School, list[Answer]],
) -> None:
    school, answers = answered
    responses = _responses(answers)
    last = _last_ones(responses)

    found = school.query(
        "select response_id, learner_key, score, category, is_latest_per_learner_month "
        "from nps.fct_nps_responses"
    )

    assert sorted(found) == sorted(
        (response_id, one.learner, score, category_of(score), response_id in last)
        for response_id, (one, score) in responses.items()
    )
    assert 0 < len(last) < len(responses) < len(answers)


def test_scores_of_every_group_come_from_its_sums_on_both_bases(
    answered: tuple[School, list[Answer]],
) -> None:
    school, answers = answered
    responses = _responses(answers)
    last = _last_ones(responses)
    expected: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for response_id, (one, score) in responses.items():
        expected["all_responses", *one.group][category_of(score)] += 1
        if response_id in last:
            expected["latest_per_learner", *one.group][category_of(score)] += 1

    found = school.query(
        "select basis, month, survey, plan, course_id, respondents, promoters, passives, "
        "detractors, nps, nps_low, nps_high from nps.agg_nps"
    )

    assert {row[:5] for row in found} == set(expected)
    for *group, respondents, promoters, passives, detractors, nps, low, high in found:
        bands = expected[tuple(group)]
        assert (promoters, passives, detractors) == (
            bands["promoter"],
            bands["passive"],
            bands["detractor"],
        )
        assert respondents == bands.total()
        assert nps == pytest.approx(100 * (promoters - detractors) / respondents)
        assert (low, high) == pytest.approx(interval(promoters, detractors, respondents))


def test_what_is_no_response_is_counted_with_its_reason(
    answered: tuple[School, list[Answer]],
) -> None:
    school, answers = answered
    expected: Counter[tuple[str, str]] = Counter()
    for one in answers:
        if one.survey == "in_app" and not one.is_counted:
            expected[one.survey, "dismissed"] += 1
        elif not one.answer:
            expected[one.survey, "empty"] += 1
        elif one.answer in ("11", "-1"):
            expected[one.survey, "out_of_range"] += 1
        elif one.answer in ("7.5", "ten"):
            expected[one.survey, "not_a_whole_number"] += 1

    found = school.query(
        "select survey, reason, sum(answers)::bigint from nps.agg_nps_rejected group by all"
    )

    assert {(survey, reason): number for survey, reason, number in found} == expected
    assert expected.total() + len(_responses(answers)) == len(answers)


def test_the_macros_give_the_score_and_interval_of_any_sums(tmp_path: Path) -> None:
    school = School(tmp_path)
    every = """
        with combinations as (
            select p.n as promoters, d.n as detractors, r.n as respondents
            from range(13) as p(n), range(13) as d(n), range(13) as r(n)
            where p.n + d.n <= r.n
        )
        """
    found = school.run_sql(
        f"{every} select promoters, detractors, respondents, {SUMS}, {LOW}, {HIGH} "
        "from combinations"
    )

    assert len(found) == 455
    for promoters, detractors, respondents, nps, low, high in found:
        if respondents == 0:
            assert (nps, low, high) == (None, None, None)
            continue
        assert nps == pytest.approx(100 * (promoters - detractors) / respondents)
        assert (low, high) == pytest.approx(interval(promoters, detractors, respondents))
        assert respondents == 1 or low <= nps <= high


def test_worked_examples(tmp_path: Path) -> None:
    worked = {
        (50, 30, 100): ("20", "2.65", "36.18"),
        (720, 30, 1000): ("69", "65.54", "72.04"),
        (3, 1, 8): ("25", None, None),
        (80 + 100, 10 + 300, 100 + 1000): ("-12", None, None),
    }
    queries = [
        f"select {SUMS}, {LOW}, {HIGH} from "
        f"(select {p} as promoters, {d} as detractors, {n} as respondents)"
        for p, d, n in worked
    ]

    found = [rows[0] for rows in School(tmp_path).run_all(queries)]

    for (nps, low, high), (score, expected_low, expected_high) in zip(
        found, worked.values(), strict=True
    ):
        assert rounded(nps, 0) == Decimal(score)
        if expected_low is not None and expected_high is not None:
            assert (rounded(low, 2), rounded(high, 2)) == (
                Decimal(expected_low),
                Decimal(expected_high),
            )
    assert found[2][0] == 25.0
    assert rounded(found[3][0], 1) == Decimal("-11.8")


# -- what the figures promise, for any sums --------------------------------------------------------


class Sums:
    """The macros as SQL that takes sums, on a connection of its own: compiling takes a second."""

    def __init__(self, folder: Path) -> None:
        earlier = "['p0', 'd0', 'n0']"
        later = "['p', 'd', 'n']"
        self._score, self._interval, self._change = School(folder).compile_all(
            [
                "select {{ nps_score('p', 'd', 'n') }} from given",
                "select {{ nps_interval('p', 'd', 'n', 'low') }}, "
                "{{ nps_interval('p', 'd', 'n', 'high') }}, weight from given",
                f"select {{{{ nps_change_interval({earlier}, {later}, 'low') }}}}, "
                f"{{{{ nps_change_interval({earlier}, {later}, 'high') }}}} from given",
            ]
        )
        self.connection = duckdb.connect()

    def score(self, promoters: int, detractors: int, respondents: int) -> float:
        self._given("select $1 as p, $2 as d, $3 as n", [promoters, detractors, respondents])
        ((score,),) = self.connection.execute(self._score).fetchall()
        return float(score)

    def change(
        self, earlier: tuple[int, int, int], later: tuple[int, int, int]
    ) -> tuple[float, float]:
        self._given(
            "select $1 as p0, $2 as d0, $3 as n0, $4 as p, $5 as d, $6 as n", [*earlier, *later]
        )
        ((low, high),) = self.connection.execute(self._change).fetchall()
        return low, high

    def coverage(self, promoters: float, detractors: float, respondents: int) -> float:
        """The share of simulated samples whose interval holds the true score."""
        shares = [promoters, detractors, 1 - promoters - detractors]
        draws = multinomial.rvs(respondents, shares, size=40_000, random_state=20240331)
        sums = Counter(map(tuple, draws[:, :2].tolist()))
        self._given(
            "select unnest($1) as p, unnest($2) as d, $4 as n, unnest($3) as weight",
            [[p for p, _ in sums], [d for _, d in sums], list(sums.values()), respondents],
        )
        true = 100 * (promoters - detractors)
        rows = self.connection.execute(self._interval).fetchall()
        held = sum(int(weight) for low, high, weight in rows if low <= true <= high)
        return held / sums.total()

    def _given(self, sql: str, values: list[Any]) -> None:
        self.connection.execute(f"create or replace temp table given as {sql}", values)


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Sums:
    return Sums(tmp_path_factory.mktemp("sums"))


BANDS = st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500)).filter(any)


def of_bands(bands: tuple[int, int, int]) -> tuple[int, int, int]:
    """Promoters, passives and detractors as promoters, detractors and respondents."""
    return bands[0], bands[2], sum(bands)


@settings(max_examples=50, deadline=None)
@given(one=BANDS, other=BANDS)
def test_the_score_of_a_union_is_the_weighted_result_of_its_parts(
    sums: Sums, one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    union = of_bands((one[0] + other[0], one[1] + other[1], one[2] + other[2]))
    n, m = sum(one), sum(other)
    weighted = (n * sums.score(*of_bands(one)) + m * sums.score(*of_bands(other))) / (n + m)
    assert sums.score(*union) == pytest.approx(weighted, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(bands=BANDS)
def test_one_more_passive_moves_the_score_towards_0(
    sums: Sums, bands: tuple[int, int, int]
) -> None:
    promoters, detractors, respondents = of_bands(bands)
    before = sums.score(promoters, detractors, respondents)
    after = sums.score(promoters, detractors, respondents + 1)
    assert after == before == 0 or (abs(after) < abs(before) and after * before > 0)


@pytest.mark.parametrize("respondents", [30, 100, 1000])
@pytest.mark.parametrize("shares", [(0.50, 0.30), (0.72, 0.03), (0.30, 0.40)])
def test_the_interval_holds_the_true_score_in_95_of_100_samples(
    sums: Sums, shares: tuple[float, float], respondents: int
) -> None:
    assert sums.coverage(*shares, respondents) == pytest.approx(0.95, abs=0.015)


def test_the_interval_is_wider_than_needed_where_nearly_everybody_agrees(sums: Sums) -> None:
    # As the description of agg_nps tells.
    found = [round(100 * sums.coverage(0.95, 0.01, number)) for number in (30, 100, 1000)]
    assert found == [98, 97, 95]


@settings(max_examples=50, deadline=None)
@given(earlier=BANDS, later=BANDS)
def test_the_interval_of_a_change_is_made_from_those_of_its_months(
    sums: Sums, earlier: tuple[int, int, int], later: tuple[int, int, int]
) -> None:
    def adjusted(bands: tuple[int, int, int]) -> tuple[float, float]:
        n = sum(bands) + 3
        up, down = (bands[0] + 0.75) / n, (bands[2] + 0.75) / n
        mean = up - down
        return mean, (up * (1 - mean) ** 2 + down * (1 + mean) ** 2 + (1 - up - down) * mean**2) / n

    (before, variance), (after, other_variance) = adjusted(earlier), adjusted(later)
    half = NormalDist().inv_cdf(0.975) * math.sqrt(variance + other_variance)
    low, high = 100 * (after - before - half), 100 * (after - before + half)
    found = sums.change(of_bands(earlier), of_bands(later))
    assert found == pytest.approx((max(-200, low), min(200, high)))
    # The other way round it is the mirror image.
    mirrored = sums.change(of_bands(later), of_bands(earlier))
    assert mirrored == pytest.approx((-found[1], -found[0]))


def test_the_worked_changes(sums: Sums) -> None:
    # As the description of nps_change tells.
    assert [rounded(end, 1) for end in sums.change((50, 30, 100), (60, 20, 100))] == [
        Decimal("-3.4"),
        Decimal("42.2"),
    ]
    assert [rounded(end, 1) for end in sums.change((500, 300, 1000), (600, 200, 1000))] == [
        Decimal("12.6"),
        Decimal("27.3"),
    ]


@pytest.mark.skipif(not CASES.exists(), reason=f"the published cases are not at {CASES}")
def test_published_cases(tmp_path: Path) -> None:
    cases = [case for case in json.loads(CASES.read_text()) if case["kind"] == "nps"]
    assert cases
    queries = [
        "select {{{{ nps_score('{promoters}', '{detractors}', '{respondents}') }}}}".format(
            **case["query"]
        )
        for case in cases
    ]

    found = [rows[0][0] for rows in School(tmp_path).run_all(queries)]

    for case, nps in zip(cases, found, strict=True):
        assert rounded(nps, 1) == Decimal(str(case["expected"]["nps_rounded_to_one_decimal"]))

"""Forecast, placement, income and groups against independent answers."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Any
from uuid import UUID

import pytest
from scipy.stats import binom, binomtest

from tests.dbt_project.harness import School, parsed_project

# Taylor and Ashe (1983), cumulative, as in Mack (1993): the triangle that textbooks share.
TAYLOR_ASHE = (
    (357848, 1124788, 1735330, 2218270, 2745596, 3319994, 3466336, 3606286, 3833515, 3901463),
    (352118, 1236139, 2170033, 3353322, 3799067, 4120063, 4647867, 4914039, 5339085),
    (290507, 1292306, 2218525, 3235179, 3985995, 4132918, 4628910, 4909315),
    (310608, 1418858, 2195047, 3757447, 4029929, 4381982, 4588268),
    (443160, 1136350, 2128333, 2897821, 3402672, 3873311),
    (396132, 1333217, 2180715, 2985752, 3691712),
    (440832, 1288463, 2419861, 3483130),
    (359480, 1421128, 2864498),
    (376686, 1363294),
    (344014,),
)
# Mack's table: ultimate and standard error of each origin.
MACK_1993 = (
    (3_901_463, 0),
    (5_433_719, 75_535),
    (5_378_826, 121_699),
    (5_297_906, 133_549),
    (4_858_200, 261_406),
    (5_111_171, 411_010),
    (5_660_771, 558_317),
    (6_784_799, 875_328),
    (5_642_266, 971_258),
    (4_969_825, 1_363_155),
)
Z = 1.959963984540054


def chain_ladder(
    rows: Mapping[int, Sequence[float]], last: int
) -> dict[int, tuple[float, float] | None]:
    """Ultimate and Mack's standard error by origin, in plain loops; null where there is none."""

    def of_step(step: int) -> tuple[float, float | None, float] | None:
        links = [(row[step - 1], row[step]) for row in rows.values() if len(row) > step]
        if not links or min(before for before, _ in links) <= 0:
            return None
        total = sum(before for before, _ in links)
        factor = sum(after for _, after in links) / total
        if len(links) == 1:
            return factor, None, total
        squares = sum((after / before - factor) ** 2 * before for before, after in links)
        return factor, squares / (len(links) - 1), total

    steps = {step: of_step(step) for step in range(1, last)}
    found: dict[int, tuple[float, float] | None] = {}
    for origin, row in rows.items():
        amount, relative = float(row[-1]), 0.0
        for step in range(len(row), last):
            known = steps[step]
            if known is None or amount <= 0:
                break
            factor, variance, total = known
            if variance is None:
                one, two = (steps[step - before] for before in (1, 2))
                assert one is not None
                assert two is not None
                variance = _extrapolated(one[1], two[1])
            relative += variance / factor**2 * (1 / amount + 1 / total)
            amount *= factor
        else:
            found[origin] = amount, amount * math.sqrt(relative)
            continue
        found[origin] = None
    return found


def _extrapolated(one: float | None, two: float | None) -> float:
    assert one is not None
    assert two is not None
    return min(one**2 / two, one, two)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> School:
    return School(tmp_path_factory.mktemp("rates"))


def _ladder(school: School, rows: Mapping[int, Sequence[float]], last: int) -> dict[int, Any]:
    school.execute("create or replace table triangle (origin int, period int, cumulative double)")
    for origin, row in rows.items():
        cells = ", ".join(f"({origin}, {at}, {value})" for at, value in enumerate(row, start=1))
        school.execute(f"insert into triangle values {cells}")
    (answer,) = school.run_all([f"{{{{ chain_ladder('triangle', {last}) }}}}"])
    return {row[0]: row for row in answer}


def test_the_chain_ladder_gives_macks_figures_for_taylor_and_ashe(empty: School) -> None:
    rows = dict(enumerate(TAYLOR_ASHE))
    plain = chain_ladder(rows, 10)
    for origin, (_, _, latest, ultimate, error, _) in _ladder(empty, rows, 10).items():
        assert latest == TAYLOR_ASHE[origin][-1]
        assert (round(ultimate), round(error)) == MACK_1993[origin]
        assert (ultimate, error) == pytest.approx(plain[origin], rel=1e-9)


def test_the_chain_ladder_agrees_with_plain_python(empty: School) -> None:
    """Ragged histories as the forecast has them: an origin grows by a year, 5 periods a year."""
    chance = random.Random(11)
    for _ in range(3):
        rows: dict[int, list[float]] = {}
        for origin in range(6):
            known = min(10, 5 * (5 - origin) + 2)
            steps = [chance.choice((0, 1, 4, 30)) for _ in range(known)]
            rows[origin] = [sum(steps[: at + 1]) for at in range(known)]
        plain = chain_ladder(rows, 10)
        for origin, (_, known, _, ultimate, error, links) in _ladder(empty, rows, 10).items():
            assert known == len(rows[origin])
            if plain[origin] is None:
                assert ultimate is None
            else:
                assert (ultimate, error) == pytest.approx(plain[origin], rel=1e-9, abs=1e-6)
            assert links is None or links >= 3


def test_the_interval_of_a_rate_is_wilsons(empty: School) -> None:
    pairs = [(3_648, 9_120), (0, 10), (10, 10), (1, 3), (5, 17), (499_999, 500_000)]
    answers = empty.run_all(
        [
            "select "
            + ", ".join(f"{{{{ wilson({part}, {whole}, '{end}') }}}}" for end in ("low", "high"))
            for part, whole in [*pairs, (0, 0)]
        ]
    )
    for (part, whole), [(low, high)] in zip(pairs, answers, strict=False):
        expected = binomtest(part, whole).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert [round(100 * end, 1) for end in answers[0][0]] == [39.0, 41.0]
    assert answers[-1] == [(None, None)]


def test_a_medians_interval_covers_95_percent_of_the_time(empty: School) -> None:
    """Whatever the distribution: between two ranks lie as many values as a fair coin throws."""
    (answer,) = empty.run_all(
        [
            "select n, {{ median_interval_rank('n') }} "
            "from (select unnest(generate_series(1, 3000)) as n)"
        ]
    )
    ranks = dict(answer)
    assert [ranks[n] for n in range(1, 6)] == [None] * 5
    assert (ranks[6], ranks[10], ranks[100]) == (1, 2, 40)
    for n in range(6, 3001):
        outside = 2 * binom.cdf(ranks[n] - 1, n, 0.5)
        assert outside <= 0.05
        # One rank more would be too narrow, or nearly so.
        assert 2 * binom.cdf(ranks[n] + 1, n, 0.5) > 0.05


# -- what must not be shown ------------------------------------------------------------------------


def _feasible(shown: Sequence[int | None], total: int) -> list[set[int]]:
    """The values that each hidden number can have, when all are whole, not negative, and add up."""
    rest = total - sum(value for value in shown if value is not None)
    hidden = sum(value is None for value in shown)
    if hidden == 1:
        return [{rest}]
    return [set(range(rest + 1)) for _ in range(hidden)]


def test_no_suppressed_cell_follows_from_what_is_shown(empty: School) -> None:
    """Many tables at once. Who knows the total, and all groups that are shown, learns of each other
    one neither its number nor that of any few people together."""
    chance = random.Random(5)
    tables: dict[int, list[tuple[int, int, int]]] = {}
    for cut in range(600):
        width = chance.choice((1, 2, 2, 3, 4, 6))
        small = (0, 1, 5, 9, 10, 11, 30, 40, 50)
        tables[cut] = [
            (
                chance.choice((*small, 20, 40)),
                chance.choice((*small, 20, 40)),
                chance.choice((0, 0, 0, 3, 12)),
            )
            for _ in range(width)
        ]
    values = ", ".join(
        f"({cut}, 'gender', 'g{number}', {a}, {b}, {c})"
        for cut, groups in tables.items()
        for number, (a, b, c) in enumerate(groups)
    )
    totals = ", ".join(
        f"({cut}, 'total', 'total', {sum(a)}, {sum(b)}, {sum(c)})"
        for cut, groups in tables.items()
        for a, b, c in [tuple(zip(*groups, strict=True))]
    )
    empty.execute(
        "create or replace table cells as from (values "
        f"{values}, {totals}) as t(cut, dimension, group_name, a, b, c)"
    )
    query = "{{ suppression('cells', ['cut'], ['a', 'b', 'c'], may_be_zero=['c']) }}"
    (answer,) = empty.run_all([query], suppress_below=10)
    flags = {(cut, group): suppressed for cut, _, group, suppressed in answer}
    assert len(flags) == sum(map(len, tables.values())) + len(tables)

    shown_groups = 0
    for cut, groups in tables.items():
        people = sum(map(sum, groups))
        assert flags[cut, "total"] == (0 < people < 10)
        hidden = [group for number, group in enumerate(groups) if flags[cut, f"g{number}"]]
        shown_groups += len(groups) - len(hidden)
        for number, (a, b, c) in enumerate(groups):
            if not flags[cut, f"g{number}"]:
                assert min(a, b) >= 10
                assert c == 0 or c >= 10
        if not hidden or len(hidden) == len(groups):
            continue  # the total says no more than itself
        assert len(hidden) >= 2
        for part in range(3):
            together = sum(group[part] for group in hidden)
            assert together >= 10 or (part == 2 and together == 0)
            if together:
                row = [
                    None if flags[cut, f"g{number}"] else group[part]
                    for number, group in enumerate(groups)
                ]
                total = sum(group[part] for group in groups)
                assert all(len(possible) > 1 for possible in _feasible(row, total))
    assert shown_groups > 100


def test_no_published_table_has_an_equity_attribute_beside_a_learner() -> None:
    manifest = parsed_project()[0]
    attributes = {"gender", "disability", "region", "prior_education", "dimension", "group_name"}
    marts = [
        node
        for node in manifest.nodes.values()
        if node.resource_type == "model" and node.config.meta.get("published")
    ]
    assert len(marts) > 20
    for mart in marts:
        columns = set(mart.columns)
        if columns & {"learner_key", "report_id", "outcome_id", "response_id"}:
            assert not columns & attributes, mart.name


# -- the marts, from raw rows ----------------------------------------------------------------------

AS_OF = date(2026, 4, 10)


def _day(chance: random.Random, first: date, last: date) -> date:
    return first + timedelta(days=chance.randrange((last - first).days + 1))


class History:
    """Learners with attributes, one or two outcomes, graduations and incomes, over six years."""

    def __init__(self, seed: int, learners: int) -> None:
        chance = random.Random(seed)
        self.events: list[dict[str, Any]] = []
        self.responses: list[dict[str, Any]] = []
        self.groups: dict[UUID, dict[str, str]] = {}
        self.countable: list[tuple[date, date]] = []
        self.counted: list[tuple[UUID, date]] = []
        self.graduates: dict[UUID, tuple[date, bool, bool | None]] = {}
        self.incomes: list[tuple[UUID, float, float]] = []
        for number in range(1, learners + 1):
            self._learner(chance, UUID(int=number))

    def _learner(self, chance: random.Random, learner: UUID) -> None:
        gender = chance.choice(("woman", "woman", "man", None))
        region = chance.choice(("North", "South", "South", "East", None, None))
        if chance.random() < 0.004:
            region = f"somewhere {learner}"
        told = {"gender": gender, "region": region}
        self.groups[learner] = {name: value for name, value in told.items() if value is not None}
        self._event("seen", learner, date(2020, 1, 1), gender="before", region=region)
        self._event("seen", learner, date(2020, 2, 1), **told)
        if gender is None:
            self.groups[learner]["gender"] = "before"
        if chance.random() < 0.8:
            happened = _day(chance, date(2020, 3, 1), date(2026, 4, 1))
            self._outcome(chance, learner, happened)
        if chance.random() < 0.5:
            self._graduate(chance, learner)

    def _outcome(self, chance: random.Random, learner: UUID, happened: date) -> None:
        reported = _day(chance, happened - timedelta(days=20), happened + timedelta(days=500))
        if reported >= AS_OF:
            return
        self._respond(
            learner,
            reported,
            outcome_type="business",
            outcome_date=happened,
            credited="yes",
            is_outcome_report=True,
        )
        self.countable.append((happened, max(happened, reported)))
        self.counted.append((learner, happened))

    def _graduate(self, chance: random.Random, learner: UUID) -> None:
        graduated = _day(chance, date(2023, 1, 1), date(2026, 4, 1))
        self._event("graduated", learner, graduated)
        is_placed = chance.random() < 0.5
        if is_placed:
            found = graduated + timedelta(days=chance.randrange(0, 180))
            if found >= AS_OF:
                return
            # Not credited: it counts for the rate, and not for the north star.
            self._respond(
                learner,
                AS_OF - timedelta(days=1),
                outcome_type="new_job",
                outcome_date=found,
                credited="no",
                is_outcome_report=True,
            )
        looks = chance.choice((True, False, None))
        answers: dict[str, Any] = {}
        if chance.random() < 0.7:
            before = chance.choice((0, 10_000, 20_000, 30_000))
            after = chance.choice((0, 21_000, 10_500, 31_500))
            answers = {
                "income_currency": "EUR",
                "numbers": {"income_before": before, "income_after": after},
                "implausible": [],
            }
            self.incomes.append((learner, before, after))
        if looks is not None or answers:
            answers["looking_for_work"] = {True: "yes", False: "no", None: None}[looks]
            self._respond(learner, AS_OF - timedelta(days=2), **answers)
        self.graduates[learner] = (graduated, is_placed, looks)

    def _event(self, event_type: str, learner: UUID, day: date, **told: Any) -> None:
        self.events.append(
            {
                "event_type": event_type,
                "event_at": datetime.combine(day, time(12)),
                "user_key": learner,
                **told,
            }
        )

    def _respond(self, learner: UUID, day: date, **told: Any) -> None:
        self.responses.append(
            {
                "survey": "alumni",
                "source": "survey",
                "file_id": 1001,
                "submitted_at": datetime.combine(day, time(12)),
                "user_key": learner,
                **told,
            }
        )

    def group_of(self, learner: UUID, dimension: str) -> str:
        """As published: rare ones together, unknown where nothing was told."""
        if dimension == "total":
            return "total"
        own = self.groups[learner].get(dimension)
        if own is None:
            return "unknown"
        shared = sum(groups.get(dimension) == own for groups in self.groups.values())
        return own if shared >= 10 else "other"


@pytest.fixture(scope="module")
def history() -> History:
    return History(3, 900)


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, history: History) -> School:
    school = School(tmp_path_factory.mktemp("history"))
    school.exported_at("2026-04-09 12:00:00")
    school.insert("loaded_files", [{"file_id": 1001, "path": "alumni.csv", "status": "loaded"}])
    school.means(graduated="graduated")
    school.execute(
        "insert into raw.tracking_plan (app, event_type, meaning) values ('1', 'seen', 'none')"
    )
    school.load_events(history.events)
    school.insert("survey_responses", history.responses)
    school.build(
        "goals",
        "+agg_goal_progress",
        "+agg_outcomes_by_group",
        "+agg_placement",
        "+agg_income",
        "+agg_survey_numbers",
        resource_types=("model", "seed"),
    )
    return school


def test_the_triangle_dates_outcomes_to_what_made_them_countable(
    school: School, history: History
) -> None:
    counts: dict[tuple[int, int], int] = defaultdict(int)
    for happened, countable in history.countable:
        month = (countable.year - happened.year) * 12 + countable.month
        counts[happened.year, month] += 1
    rows = school.query(
        "select origin_year, development_month, new_outcomes, is_origin_complete, is_history "
        "from outcomes.agg_outcome_triangle"
    )
    assert {(year, month): new for year, month, new, _, _ in rows} == {
        (year, month): counts[year, month]
        for year in range(2020, 2027)
        for month in range(1, min(24, (2026 - year) * 12 + 3) + 1)
    }
    assert {row[0] for row in rows if row[3]} == {2020, 2021, 2022, 2023, 2024}
    assert {row[0] for row in rows if row[4]} == set(range(2021, 2027))


def test_the_running_year_is_forecast_from_years_that_are_complete(school: School) -> None:
    triangle: dict[int, list[float]] = defaultdict(list)
    for year, amount in school.query(
        "select origin_year, cumulative_outcomes from outcomes.agg_outcome_triangle "
        "where is_history order by origin_year, development_month"
    ):
        triangle[year].append(amount)
    plain = chain_ladder(triangle, 24)
    rows = {
        row[0]: row[1:]
        for row in school.query(
            "select year, forecast_status, forecast_outcomes, forecast_standard_error, "
            "forecast_low, forecast_high from outcomes.agg_goal_progress"
        )
    }
    assert {year for year, row in rows.items() if row[0] == "forecast"} == {2025, 2026}
    for year in (2025, 2026):
        expected = plain[year]
        assert expected is not None
        ultimate, error = expected
        spread = math.sqrt(math.log(1 + (error / ultimate) ** 2))
        middle = math.log(ultimate) - spread**2 / 2
        assert rows[year][1:] == pytest.approx(
            (ultimate, error, math.exp(middle - Z * spread), math.exp(middle + Z * spread)),
            abs=1e-5,
        )
        assert rows[year][3] < rows[year][1] < rows[year][4]
    assert rows[2024][0].startswith("final")
    assert rows[2020][0].startswith("final")
    assert rows[2024][1:] == (None,) * 4


def test_too_little_history_is_told_instead_of_a_forecast(school: School) -> None:
    school.build_models("agg_goal_progress", forecast_min_years=5)
    rows = dict(
        school.query(
            "select year, forecast_status from outcomes.agg_goal_progress where year > 2024"
        )
    )
    assert rows == dict.fromkeys(
        (2025, 2026), "no forecast: 4 complete years of history, 5 are needed"
    )
    assert school.query(
        "select count(*) from outcomes.agg_goal_progress where forecast_outcomes is not null"
    ) == [(0,)]


def _expected_groups(
    history: History, rows: Sequence[tuple[UUID, Any]]
) -> dict[tuple[Any, str, str], list[UUID]]:
    found: dict[tuple[Any, str, str], list[UUID]] = defaultdict(list)
    for learner, cut in rows:
        for dimension in ("total", "gender", "region"):
            found[cut, dimension, history.group_of(learner, dimension)].append(learner)
    return found


def test_outcomes_by_group_add_up_to_the_total_where_nothing_is_suppressed(
    school: School, history: History
) -> None:
    expected = _expected_groups(history, [(who, day.year) for who, day in history.counted])
    rows = school.query(
        "select year, dimension, group_name, outcomes, suppressed "
        "from outcomes.agg_outcomes_by_group"
    )
    assert {row[1] for row in rows} == {"total", "gender", "region"}
    assert "other" in {row[2] for row in rows}
    assert sum(row[4] for row in rows) > 5
    for year, dimension, group, outcomes, suppressed in rows:
        if not suppressed:
            assert outcomes == len(expected[year, dimension, group]) >= 10
    sums: dict[tuple[int, str], list[int | None]] = defaultdict(list)
    for year, dimension, _, outcomes, _ in rows:
        sums[year, dimension].append(outcomes)
    whole = {
        year: sum(day.year == year for _, day in history.counted) for year in range(2020, 2027)
    }
    added = 0
    for (year, _), numbers in sums.items():
        if None not in numbers:
            assert sum(number for number in numbers if number is not None) == whole[year]
            added += 1
    assert added > len(whole)


def test_placement_rates_are_those_of_graduates_with_6_months(
    school: School, history: History
) -> None:
    elapsed = {
        who: told for who, told in history.graduates.items() if told[0] <= date(2025, 10, 10)
    }
    expected = _expected_groups(history, [(who, told[0].year) for who, told in elapsed.items()])
    rows = school.query(
        "select cohort_year, dimension, group_name, graduates, placed, "
        "placement_rate_all_graduates, suppressed, respondents, placed_respondents, "
        "placement_rate_respondents, respondents_suppressed from outcomes.agg_placement"
    )
    shown = 0
    for year, dimension, group, graduates, placed, rate, hidden, *of_respondents in rows:
        people = expected[year, dimension, group]
        respondents, placed_respondents, respondent_rate, respondents_hidden = of_respondents
        if not hidden:
            assert (graduates, placed) == (len(people), sum(elapsed[who][1] for who in people))
            assert rate == placed / graduates
            shown += dimension != "total"
        if not respondents_hidden:
            looking = [who for who in people if elapsed[who][2]]
            told = sum(elapsed[who][1] for who in looking)
            assert (respondents, placed_respondents) == (len(looking), told)
            assert respondent_rate == told / len(looking)
    assert shown > 3
    assert {row[0] for row in rows if row[1] == "total"} == {2023, 2024, 2025}


def test_incomes_are_medians_of_pairs(school: School, history: History) -> None:
    expected = _expected_groups(history, [(who, 2026) for who, _, _ in history.incomes])
    pairs = {who: (before, after) for who, before, after in history.incomes}
    rows = school.query(
        "select dimension, group_name, people, median_difference, people_with_percentage, "
        "median_percentage, share_increased_5_percent, suppressed from outcomes.agg_income"
    )
    ends = {
        (row[0], row[1]): row[2:]
        for row in school.query(
            "select dimension, group_name, median_difference_low, median_difference_high, "
            "median_percentage_low, median_percentage_high from outcomes.agg_income"
        )
    }
    shown = [row for row in rows if not row[-1]]
    assert len({row[0] for row in shown}) > 1
    for dimension, group, people, difference, with_percentage, percentage, share, _ in shown:
        own = [pairs[who] for who in expected[2026, dimension, group]]
        changes = [(after - before) / before for before, after in own if before]
        assert (people, with_percentage) == (len(own), len(changes))
        assert difference == median(after - before for before, after in own)
        assert percentage == pytest.approx(median(changes), abs=1e-10)
        rank = math.floor((len(own) + 1 - Z * math.sqrt(len(own))) / 2)
        ordered = sorted(after - before for before, after in own)
        assert ends[dimension, group][:2] == (ordered[rank - 1], ordered[-rank])
        rank = math.floor((len(changes) + 1 - Z * math.sqrt(len(changes))) / 2)
        assert ends[dimension, group][2:] == pytest.approx(
            (sorted(changes)[rank - 1], sorted(changes)[-rank]), abs=1e-10
        )
        increased = sum(100 * after >= 105 * before for before, after in own if before)
        assert share == pytest.approx(increased / len(changes))


def test_what_is_shown_of_one_table_reveals_nothing_of_another(school: School) -> None:
    """The totals of outcomes by group are published in agg_career_outcomes, too."""
    totals = dict(
        school.query(
            "select year(month), sum(outcomes)::bigint from outcomes.agg_career_outcomes group by 1"
        )
    )
    by_dimension: dict[tuple[int, str], list[int | None]] = defaultdict(list)
    for year, dimension, outcomes in school.query(
        "select year, dimension, outcomes from outcomes.agg_outcomes_by_group "
        "where dimension != 'total'"
    ):
        by_dimension[year, dimension].append(outcomes)
    for (year, dimension), shown in by_dimension.items():
        hidden = [number for number in shown if number is None]
        if not hidden or len(hidden) == len(shown):
            continue
        assert len(hidden) >= 2, (year, dimension)
        rest = totals[year] - sum(number for number in shown if number is not None)
        assert rest >= 10, (year, dimension)

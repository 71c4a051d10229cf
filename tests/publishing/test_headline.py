"""The three figures at the end of a run are those of the marts, by the definitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from orchestration.publishing import Headline, headline, render_headline
from orchestration.publishing.headline import Goal, Nps, Share

EMPTY = Headline(as_of=None, outcomes=None, goal=None, nps=None, retention=None)
MakeFile = Callable[[str], Path]


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    """A published file with empty marts as of 15 March 2026, changed by some SQL."""

    def make_file(sql: str = "") -> Path:
        path = tmp_path / "northstar.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute(
                """
                create schema ops; create schema outcomes; create schema nps;
                create schema retention;
                create table ops.published_at as select date '2026-03-15' as as_of;
                create table outcomes.fct_career_outcomes (outcome_date date, is_counted boolean);
                create table outcomes.agg_goal_progress (
                    year integer, goal_low bigint, goal_high bigint
                );
                create table nps.agg_nps (
                    basis varchar, month date, survey varchar,
                    promoters bigint, passives bigint, detractors bigint
                );
                create table retention.agg_retention (
                    definition varchar, cohort date, interval_index integer,
                    cohort_size bigint, retained bigint, is_complete boolean
                );
                """
            )
            if sql:
                connection.execute(sql)
        return path

    return make_file


def _text(figures: Headline) -> str:
    console = Console(width=200, no_color=True)
    with console.capture() as captured:
        console.print(render_headline(figures, Path("data/published/northstar.duckdb")))
    return captured.get()


def test_counted_outcomes_of_the_12_months_before_the_as_of(make_file: MakeFile) -> None:
    """Half-open at both ends: the as-of day has not begun, its anniversary is in."""
    figures = headline(
        make_file(
            """
            insert into outcomes.fct_career_outcomes values
                ('2025-03-14', true), ('2025-03-15', true), ('2025-09-01', true),
                ('2025-09-02', false), ('2026-03-14', true), ('2026-03-15', true);
            """
        )
    )
    assert figures.outcomes == 3


def test_no_outcome_at_all_is_no_data(make_file: MakeFile) -> None:
    assert headline(make_file("")).outcomes is None


def test_no_counted_outcome_is_a_zero(make_file: MakeFile) -> None:
    path = make_file("insert into outcomes.fct_career_outcomes values ('2025-09-02', false)")
    assert headline(path).outcomes == 0


def test_the_goal_is_that_of_the_year_of_the_last_counted_day(make_file: MakeFile) -> None:
    path = make_file(
        """
        insert into outcomes.agg_goal_progress values
            (2025, 500000, 500000), (2026, 5000000, 10000000);
        update ops.published_at set as_of = '2026-01-01';
        """
    )
    assert headline(path).goal == Goal(2025, 500_000, 500_000)
    with duckdb.connect(str(path)) as connection:
        connection.execute("update ops.published_at set as_of = '2026-01-02'")
    assert headline(path).goal == Goal(2026, 5_000_000, 10_000_000)


def test_there_is_no_goal_before_the_first_one(make_file: MakeFile) -> None:
    path = make_file("insert into outcomes.agg_goal_progress values (2026, null, null)")
    assert headline(path).goal is None


def test_the_nps_comes_from_the_sums_of_all_responses_of_12_months(make_file: MakeFile) -> None:
    figures = headline(
        make_file(
            """
            insert into nps.agg_nps values
                ('all_responses', '2025-03-01', 'a', 1000, 0, 0),
                ('all_responses', '2025-04-01', 'a', 80, 10, 10),
                ('all_responses', '2026-03-01', 'b', 100, 600, 300),
                ('all_responses', '2026-04-01', 'b', 1000, 0, 0),
                ('latest_per_learner', '2026-01-01', 'b', 1000, 0, 0);
            """
        )
    )
    assert figures.nps == Nps(promoters=180, passives=610, detractors=310)
    assert figures.nps.score == pytest.approx(-11.818, abs=0.001)  # not the average of 70 and -20


@pytest.mark.parametrize(
    ("sums", "score", "interval"),
    [
        (Nps(50, 20, 30), 20, (2.65, 36.18)),
        (Nps(720, 250, 30), 69, (65.54, 72.04)),
        (Nps(3, 4, 1), 25, None),
        (Nps(1000, 0, 0), 100, (None, 100)),
        (Nps(0, 0, 1000), -100, (-100, None)),
    ],
)
def test_nps_and_interval_of_the_worked_examples(
    sums: Nps, score: float, interval: tuple[float | None, float | None] | None
) -> None:
    assert sums.score == score
    for found, expected in zip(sums.interval, interval or (), strict=False):
        assert expected is None or found == pytest.approx(expected, abs=0.005)


def test_week_4_retention_sums_complete_cohorts(make_file: MakeFile) -> None:
    """100 learners with 40 back, 50 with 30 back; today's 200 with 10 back so far do not count."""
    figures = headline(
        make_file(
            """
            insert into retention.agg_retention values
                ('learning_weekly', '2026-01-05', 4, 100, 40, true),
                ('learning_weekly', '2026-01-12', 4, 50, 30, true),
                ('learning_weekly', '2026-02-16', 4, 200, 10, false),
                ('learning_weekly', '2026-01-05', 3, 100, 90, true),
                ('learning_monthly', '2025-10-01', 4, 100, 90, true);
            """
        )
    )
    assert figures.retention == Share(retained=70, cohort_size=150)
    assert "46.7 %" in _text(figures)


def test_empty_marts_have_no_figures(make_file: MakeFile) -> None:
    path = make_file("update ops.published_at set as_of = null")
    assert headline(path) == EMPTY
    assert _text(EMPTY).count("no data yet") == 3


def test_a_mart_that_is_not_published_has_no_figure(make_file: MakeFile) -> None:
    path = make_file("drop schema outcomes cascade; drop schema nps cascade")
    figures = headline(path)
    assert (figures.outcomes, figures.goal, figures.nps) == (None, None, None)


def test_the_figures_are_told_with_goal_interval_and_path(make_file: MakeFile) -> None:
    path = make_file(
        """
        insert into outcomes.fct_career_outcomes select date '2026-01-01', true from range(1234);
        insert into outcomes.agg_goal_progress values (2026, 500000, 500000);
        insert into nps.agg_nps values ('all_responses', '2026-01-01', 'a', 50, 20, 30);
        """
    )
    text = _text(headline(path))
    assert "1,234" in text
    assert "0.25 % of the goal of 500,000 a year in force in 2026" in text
    assert "20 [3, 36]" in text
    assert "100 responses" in text
    assert "data/published/northstar.duckdb" in text


def test_a_path_is_told_whole_and_leaves_the_figures_their_room() -> None:
    path = Path("/srv/a-school/northstar/data/published/northstar.duckdb")
    figures = replace(EMPTY, retention=Share(924, 4514))
    console = Console(width=80, no_color=True)
    with console.capture() as captured:
        console.print(render_headline(figures, path))

    lines = captured.get().splitlines()
    assert lines[-1] == f"  Published file      {path}"
    assert "924 of 4,514 learners in complete cohorts" in lines[-2]

    with console.capture() as captured:
        console.print(render_headline(figures, path / ("x" * 100)))
    assert str(path / ("x" * 100)) in captured.get().replace("\n", "")


def test_scores_are_rounded_once_half_away_from_zero() -> None:
    for sums, shown in ((Nps(5, 0, 3), "25 ["), (Nps(1, 7, 0), "13 ["), (Nps(0, 7, 1), "-13 [")):
        text = _text(Headline(as_of=None, outcomes=None, goal=None, nps=sums, retention=None))
        assert shown in text


def test_a_goal_that_is_a_range_is_told_as_one() -> None:
    goal = Goal(2030, 5_000_000, 10_000_000)
    text = _text(Headline(as_of=None, outcomes=4_000_000, goal=goal, nps=None, retention=None))
    assert "80 % of the goal of 5,000,000 to 10,000,000 a year in force in 2030" in text


def test_more_than_the_goal_is_told_in_whole_per_cent() -> None:
    goal = Goal(2025, 500_000, 500_000)
    text = _text(Headline(as_of=None, outcomes=6_172_839, goal=goal, nps=None, retention=None))
    assert "1,235 % of the goal" in text


def test_a_path_with_brackets_is_shown_as_it_is() -> None:
    console = Console(width=200, no_color=True)
    with console.capture() as captured:
        console.print(render_headline(EMPTY, Path("data [bold]/northstar.duckdb")))
    assert "data [bold]/northstar.duckdb" in captured.get()


def test_the_head_of_the_chain_stands_on_a_line_of_its_own() -> None:
    figures = replace(EMPTY, chain=(3, "a" * 64))
    console = Console(width=80, no_color=True)
    with console.capture() as captured:
        console.print(render_headline(figures, Path("northstar.duckdb")))

    lines = [line.strip() for line in captured.get().splitlines()]
    assert lines[-1] == "a" * 64
    assert lines[-2].startswith("Entry 3 is the head")
    assert "head" not in _text(EMPTY)


def test_the_head_is_that_of_the_publication(make_file: MakeFile) -> None:
    told = """
        alter table ops.published_at add column chain_entries bigint;
        alter table ops.published_at add column chain_head varchar;
        update ops.published_at set chain_entries = 2, chain_head = 'abc';
    """
    assert headline(make_file(told)).chain == (2, "abc")


def test_a_publication_of_before_the_chain_has_no_head(make_file: MakeFile) -> None:
    assert headline(make_file("")).chain is None

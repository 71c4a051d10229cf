"""Which published figure changed, by how much, since when and why; what is told of the small."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestration.errors import PublishingError
from orchestration.publishing import read_figures
from orchestration.publishing.figures import SMALLEST_TOLD, Cell, Figure, withhold_small
from orchestration.settings import Settings
from tests.publishing.reports import RELATIONS, Desk, Report, open_desk

MARCH, JUNE = date(2024, 3, 1), date(2023, 6, 1)
TOTALS = """
    select strftime(month, '%Y-%m'), old_value, new_value, change, cause, cause_change, reports
    from outcomes.restatements
    where breakdown = 'total' and entry = (select max(entry) from outcomes.restatements)
    order by all
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Two months of a dozen counted outcomes each, published."""
    settings = Settings(data_dir=tmp_path / "data", lock_wait_seconds=0, memory_limit="500MB")
    with open_desk(settings) as desk:
        desk.count(1, 12, JUNE)
        desk.count(101, 12, MARCH)
        yield desk


def test_the_first_publication_restates_nothing(desk: Desk) -> None:
    desk.publish()

    assert desk.read("select count(*) from outcomes.restatements") == [(0,)]
    assert desk.read(
        "select month, value, withheld, published_until from outcomes.published_history "
        "where breakdown = 'total' order by month"
    ) == [(JUNE, 12.0, False, None), (MARCH, 12.0, False, None)]


def test_a_late_report_that_blocks_a_counted_outcome_restates_both_months(desk: Desk) -> None:
    first = desk.publish()
    desk.add(Report(500, 101, date(2023, 6, 1)))
    desk.change(101, decision="within_12_months")

    second = desk.publish(landing="more")

    assert desk.read(TOTALS) == [
        ("2023-06", 12, 13, 1, "late_arrival", 1, 1),
        ("2024-03", 12, 11, -1, "late_arrival", -1, 1),
    ]
    assert desk.read(
        "select distinct publication_id, standing_since_publication_id, month_was_over "
        "from outcomes.restatements"
    ) == [(second.id, first.id, True)]
    assert desk.read(
        "select explanation from outcomes.restatements where breakdown = 'total' order by month"
    )[1] == (
        "outcomes of 2024-03 (total) went from 12 to 11: "
        "reports came in after the figure was published.",
    )


def test_two_ids_that_turn_out_to_be_one_person_are_an_identity_merge(desk: Desk) -> None:
    desk.publish()
    desk.change(101, learner=1, decision="within_12_months")

    desk.publish(landing="merged")

    assert desk.read(TOTALS) == [("2024-03", 12, 11, -1, "identity_merge", -1, 1)]


def test_an_erased_report_is_told_from_a_removed_and_from_a_corrected_file(desk: Desk) -> None:
    desk.add(Report(200, 200, MARCH, file="coach.csv"), Report(201, 201, MARCH, file="gone.csv"))
    desk.files |= {"coach.csv": ("c", 0), "gone.csv": ("c", 0)}
    desk.publish()
    desk.files["survey.csv"] = ("c", 1)
    del desk.files["gone.csv"]
    for number in (101, 200, 201):
        del desk.reports[number]

    desk.publish(landing="fewer")

    assert desk.read(TOTALS) == [
        ("2024-03", 14, 11, -3, "corrected_file", -1, 1),
        ("2024-03", 14, 11, -3, "erasure", -1, 1),
        ("2024-03", 14, 11, -3, "file_removed", -1, 1),
    ]


def test_erasing_one_of_three_reports_lets_the_next_outcome_count(desk: Desk) -> None:
    desk.add(Report(300, 1, MARCH, "within_12_months"), Report(301, 1, date(2025, 1, 5)))
    desk.publish()
    del desk.reports[1]
    desk.files["survey.csv"] = ("c", 1)
    desk.change(300, decision="counted")
    desk.change(301, decision="within_12_months")

    desk.publish(landing="erased")

    assert desk.read(TOTALS) == [
        ("2023-06", 12, 11, -1, "erasure", -1, 1),
        ("2024-03", 12, 13, 1, "erasure", 1, 1),
        ("2025-01", None, 0, None, "erasure", None, None),
    ]


def test_a_learner_who_now_says_no_is_a_changed_credit(desk: Desk) -> None:
    desk.publish()
    desk.change(101, decision="not_credited")
    desk.add(Report(400, 101, MARCH, "duplicate_report", outcome=101, credited="no"))
    desk.change(102, decision="not_credited", credited="no")

    desk.publish(landing="said no")

    assert desk.read(TOTALS) == [("2024-03", 12, 10, -2, "changed_credit", -2, 2)]


def test_a_contract_that_has_begun_is_counted_because_the_day_has_come(desk: Desk) -> None:
    desk.count(601, 10, date(2026, 2, 1))
    desk.add(Report(600, 600, date(2026, 2, 2), "invalid", invalid_reason="not_yet"))
    desk.as_of = date(2026, 2, 2)
    desk.publish()
    desk.as_of = date(2026, 2, 3)
    desk.change(600, decision="counted", invalid_reason=None)

    desk.publish(landing="a day later")

    assert desk.read(TOTALS) == [("2026-02", 10, 11, 1, "as_of_passed", 1, 1)]
    assert desk.read("select distinct month_was_over from outcomes.restatements") == [(False,)]


def test_a_rule_or_a_mapping_that_changed_is_told_from_what_arrived(desk: Desk) -> None:
    desk.publish()
    desk.change(1, decision="within_12_months")  # nothing happened to any report of this learner
    desk.files["survey.csv"] = ("another", 0)
    del desk.reports[2]

    desk.publish(dbt="other rules", contracts="other mapping")

    assert desk.read(TOTALS) == [("2023-06", 12, 10, -2, "definition_or_configuration", -2, 2)]


def test_several_causes_make_up_the_change(desk: Desk) -> None:
    desk.publish()
    desk.change(101, learner=1, decision="within_12_months")
    desk.count(700, 3, MARCH)

    desk.publish(landing="both")

    assert desk.read(TOTALS) == [
        ("2024-03", 12, 14, 2, "identity_merge", -1, 1),
        ("2024-03", 12, 14, 2, "late_arrival", 3, 3),
    ]


def test_without_the_publication_before_a_restatement_is_unexplained(desk: Desk) -> None:
    import shutil

    desk.publish()
    shutil.rmtree(desk.settings.published)
    desk.count(700, 3, MARCH)

    desk.publish(landing="more")

    assert desk.read(TOTALS) == [("2024-03", 12, 15, 3, "unexplained", None, None)]


def test_a_publication_without_the_reports_of_a_figure_costs_the_causes_and_nothing_else(
    desk: Desk,
) -> None:
    outcomes = ["outcomes.agg_career_outcomes", "outcomes.fct_outcome_reports"]
    desk.publish(relations=outcomes)
    desk.count(700, 3, MARCH)

    desk.publish(relations=outcomes, landing="more")

    assert desk.read(TOTALS) == [("2024-03", 12, 15, 3, "unexplained", None, None)]


def test_a_figure_that_is_remembered_from_now_on_was_not_restated(desk: Desk) -> None:
    desk.responses = [(number, number, MARCH, 10, True) for number in range(10)]
    desk.publish(relations=[name for name in RELATIONS if name != "nps.agg_nps"])

    desk.publish(landing="with NPS")

    assert desk.read("select count(*) from outcomes.restatements") == [(0,)]
    assert desk.read(
        "select count(*) from outcomes.published_history where figure = 'nps' and value = 100"
    ) == [(2,)]


def test_nothing_that_would_tell_a_small_cell_is_told(desk: Desk) -> None:
    desk.publish()
    desk.count(800, 1, date(2022, 1, 1))
    for number in range(104, 113):
        del desk.reports[number]
    desk.files["survey.csv"] = ("c", 9)

    desk.publish(landing="small")

    assert desk.read(TOTALS) == [
        ("2022-01", 0, None, None, "late_arrival", None, None),
        ("2024-03", 12, None, None, "erasure", None, None),
    ]
    assert desk.read(
        "select explanation from outcomes.restatements where month = '2024-03-01'"
    ) == [
        (
            "outcomes of 2024-03 (total) went from 12 to fewer than can be told: "
            "somebody asked to be forgotten.",
        )
    ]
    text = "".join(path.read_text() for path in _entries(desk))
    assert '"value":1,' not in text
    assert '"value":3,' not in text
    assert f"{10_101}" not in text  # no learner, no report


def test_a_part_is_restated_without_a_cause_and_only_when_told_before_and_after(
    desk: Desk,
) -> None:
    desk.count(901, 11, MARCH, "SPARK")
    desk.publish()
    desk.count(950, 2, MARCH, "SPARK")
    desk.count(960, 1, MARCH, "degree")

    desk.publish(landing="more")

    # One in degree is withheld, and with it the smallest of the others: 26 - 13 would tell it.
    assert desk.read(
        "select breakdown, value, withheld from outcomes.published_history "
        "where month = '2024-03-01' and published_until is null order by 1"
    ) == [
        ("segment=SPARK", 13.0, False),
        ("segment=free", None, True),
        ("total", 26.0, False),
    ]
    assert desk.read(
        "select breakdown, old_value, new_value, cause, reports from outcomes.restatements "
        "where breakdown != 'total'"
    ) == [("segment=SPARK", 11.0, 13.0, None, None)]


def test_answers_that_come_in_late_restate_the_score(desk: Desk) -> None:
    desk.responses = [(number, number, MARCH, 10, True) for number in range(10)]
    desk.publish()
    desk.responses += [(10, 10, MARCH, 0, True), (11, 1, MARCH, 0, False)]

    desk.publish(landing="late")

    assert desk.read(
        "select figure, breakdown, old_value, round(new_value, 1), cause, cause_change, reports "
        "from outcomes.restatements order by all"
    ) == [
        ("nps", "basis=all_responses, survey=yearly", 100, 66.7, "late_arrival", None, 2),
        ("nps", "basis=latest_per_learner, survey=yearly", 100, 81.8, "late_arrival", None, 1),
        ("respondents", "basis=all_responses, survey=yearly", 10, 12, "late_arrival", 2, 2),
        ("respondents", "basis=latest_per_learner, survey=yearly", 10, 11, "late_arrival", 1, 1),
    ]


def test_an_answer_that_was_erased_restates_the_score_as_an_erasure(desk: Desk) -> None:
    desk.responses = [(number, number, MARCH, 10, True) for number in range(12)]
    desk.publish()
    del desk.responses[0]
    desk.files["survey.csv"] = ("c", 1)

    desk.publish(landing="erased")

    assert desk.read(
        "select distinct figure, old_value, new_value, cause, cause_change, reports "
        "from outcomes.restatements order by all"
    ) == [("respondents", 12, 11, "erasure", -1, 1)]


def test_restatements_stay_when_later_publications_change_nothing(desk: Desk) -> None:
    desk.publish()
    desk.count(700, 3, MARCH)
    desk.publish(landing="more")
    before = desk.read("from outcomes.restatements order by all")

    desk.publish(landing="much the same")

    assert desk.read("from outcomes.restatements order by all") == before
    assert len(_entries(desk)) == 2


def test_what_was_published_is_shown_with_the_time_during_which_it_stood(desk: Desk) -> None:
    publications = []
    for more in range(3):
        desk.count(700, 2 * more, MARCH)
        publications.append(desk.publish(landing=str(more)))

    history = desk.read(
        "select value, publication_id, published_at, published_until "
        "from outcomes.published_history where month = '2024-03-01' and breakdown = 'total' "
        "order by published_at"
    )

    assert [(value, name) for value, name, _, _ in history] == [
        (12.0, publications[0].id),
        (14.0, publications[1].id),
        (16.0, publications[2].id),
    ]
    times = [publication.published_at.replace(tzinfo=None) for publication in publications]
    assert [since for _, _, since, _ in history] == times
    assert [until for _, _, _, until in history] == [*times[1:], None]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8))
@hypothesis_settings(max_examples=50, deadline=None)
def test_no_small_cell_is_found_by_subtraction(people: list[int]) -> None:
    total = Figure("a.b", "outcomes", "sum(n)", "sum(n)")
    part = Figure("a.b", "outcomes", "sum(n)", "sum(n)", ("segment",), is_part=True)
    cells = [
        Cell(total, MARCH, (), sum(people), sum(people)),
        *(
            Cell(part, MARCH, (("segment", str(number)),), size, size)
            for number, size in enumerate(people)
        ),
    ]

    told = withhold_small(cells)

    whole = next(cell for cell in told if not cell.by)
    parts = [cell for cell in told if cell.by]
    hidden = [cell for cell in parts if cell.withheld]
    assert whole.withheld == (sum(people) < SMALLEST_TOLD)
    assert all(cell.value is None for cell in hidden)
    assert all(
        cell.people >= SMALLEST_TOLD and cell.value == cell.people
        for cell in parts
        if not cell.withheld
    )
    if whole.withheld:
        return
    # What a reader knows: the total, what is told, and that each withheld cell has someone in it.
    # Nobody can tell that any cell, or what is withheld as a whole, is smaller than the threshold.
    rest = sum(people) - sum(cell.people for cell in parts if not cell.withheld)
    assert rest == 0 or (rest >= SMALLEST_TOLD and len(hidden) >= 2)
    if all(size >= SMALLEST_TOLD for size in people):
        assert not hidden
    # No more than needed: without the largest of those that are large enough it would not do.
    large = [cell.people for cell in hidden if cell.people >= SMALLEST_TOLD]
    if large:
        others = [cell.people for cell in hidden]
        others.remove(max(large))
        assert len(others) < 2 or sum(others) < SMALLEST_TOLD


@pytest.mark.parametrize(
    "told",
    [
        [{"figure": "outcomes"}],
        [{"figure": "outcomes", "value": "sum(n)", "by_month": True}],
        [
            {"figure": "outcomes", "value": "sum(n)"},
            {"figure": "outcomes", "value": "sum(n)", "by": ["a"]},
            {"figure": "outcomes", "value": "sum(n)", "by": ["b"]},
        ],
        [
            {"figure": "nps", "value": "avg(n)", "people": "sum(n)"},
            {"figure": "nps", "value": "avg(n)", "people": "sum(n)", "by": ["a"]},
        ],
    ],
)
def test_a_wrong_snapshot_names_its_mart(told: list[dict[str, object]]) -> None:
    with pytest.raises(PublishingError, match=r"meta\.snapshot of nps\.agg_nps"):
        read_figures({"nps.agg_nps": told})


def _entries(desk: Desk) -> list[Path]:
    return sorted((desk.settings.state / "published" / "own").iterdir())

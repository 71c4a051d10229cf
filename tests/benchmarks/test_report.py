from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.report import Figure, at_least, at_most, figure_of_turns, report


def test_measuring_one_area_again_keeps_the_others(tmp_path: Path) -> None:
    results = tmp_path / "results.md"
    report(
        [Figure("loading", "a against b", "5 events", 1.25), Figure("days", "c", "", 2)], results
    )
    days = results.read_text().split("## loading")[0]
    report([Figure("loading", "a against b", "9 events", 0.5)], results)
    text = results.read_text()
    assert text.startswith(days)
    assert "9 events" in text
    assert "5 events" not in text
    assert text.count("## loading") == 1


def test_results_name_the_machine_but_neither_host_nor_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.node", lambda: "the-host")
    results = tmp_path / "results.md"
    report([Figure("days", "c", "", 2)], results)
    text = results.read_text()
    assert "GiB of memory" in text
    assert "duckdb 2" in text
    assert "the-host" not in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("wanted", "ratio", "verdict"),
    [
        (at_most(1.5), 1.5, "yes"),
        (at_most(1.5), 1.51, "no"),
        (at_least(50), 50, "yes"),
        (at_least(50), 49.9, "no"),
        (None, 3, ""),
    ],
)
def test_a_ratio_at_the_limit_holds(wanted: object, ratio: float, verdict: str) -> None:
    assert Figure("a", "b", "c", ratio, wanted).verdict == verdict  # type: ignore[arg-type]


def test_a_figure_of_several_turns_is_their_median_with_the_spread() -> None:
    figure = figure_of_turns("a", "b", "c", [1.4, 9, 1.2], at_most(1.5))
    assert (figure.ratio, figure.spread, figure.turns) == (1.4, (1.2, 9), 3)
    assert figure.cells() == ("yes", "b", "c", "1.40", "≤ 1.50", "1.20 to 9.00", "3", "")

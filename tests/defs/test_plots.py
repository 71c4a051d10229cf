"""Plots on asset pages: drawn where they can be, a warning where they cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orchestration.defs.transform.plots import PLOTS, Plot, plot_queries, plots_of
from orchestration.transforming import Answer, FinishedNode

ROWS = ({"month": "2026-01-01"},)


def _plot(title: str, draw: Callable[[Sequence[Mapping[str, Any]]], bytes]) -> Plot:
    return Plot(mart="agg_nps", title=title, query="select 1", draw=draw)


def _fail(_: object) -> bytes:
    raise ValueError("no such field")


def _node(*answers: Answer) -> FinishedNode:
    return FinishedNode("model.northstar.agg_nps", "success", None, None, 0.1, answers=answers)


def test_what_goes_wrong_in_a_plot_is_a_warning_that_names_the_mart() -> None:
    plots = [
        _plot("drawn", lambda rows: b"<svg/>"),
        _plot("failing", _fail),
        _plot("unanswered", lambda rows: b"<svg/>"),
        _plot("empty", _fail),
    ]
    warnings: list[str] = []

    shown = plots_of(
        _node(Answer(ROWS), Answer(ROWS), Answer(error="no such column"), Answer()),
        lambda text, *values: warnings.append(text % values),
        plots,
    )

    assert list(shown) == ["drawn"]
    assert shown["drawn"].md_str == "![drawn](data:image/svg+xml;base64,PHN2Zy8+)"
    assert warnings == [
        "No plot 'failing' of agg_nps: ValueError: no such field",
        "No plot 'unanswered' of agg_nps: no such column",
    ]


def test_a_node_of_another_kind_has_no_plot() -> None:
    node = FinishedNode("test.northstar.agg_nps", "pass", 0, None, 0.1, answers=(Answer(ROWS),))

    assert plots_of(node, print, [_plot("drawn", lambda rows: b"<svg/>")]) == {}


def test_titles_are_different_on_each_page() -> None:
    assert len({(plot.mart, plot.title) for plot in PLOTS}) == len(PLOTS)
    assert sum(map(len, plot_queries().values())) == len(PLOTS)

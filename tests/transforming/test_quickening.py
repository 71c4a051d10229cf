"""Dbt without the work that nobody sees does what dbt does."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import dbt.context.macros
import pytest
from dbt.cli.main import dbtRunner
from dbt_common.events.types import Formatting

from orchestration.transforming.quickening import quickened
from tests.dbt_project.harness import School

# With macros of every kind: the project's, dispatched ones, dbt's own, the adapter's; and tests.
SELECTION = ("int_outcomes__reports", "agg_career_outcomes", "agg_retention", "fct_nps_responses")


def compiled(way: AbstractContextManager[None]) -> tuple[dict[str, str], set[str]]:
    """The SQL of some models and tests by id; events below a warning that were heard meanwhile."""
    from tests.dbt_project.harness import _arguments, parsed_project

    manifest, target = parsed_project()
    heard: set[str] = set()
    with way:

        def hear(event: Any) -> None:
            if event.info.level in ("debug", "info"):
                heard.add(event.info.name)

        runner = dbtRunner(manifest=manifest, callbacks=[hear])
        result: Any = runner.invoke(
            ["compile", "--select", *SELECTION, *_arguments(target), "--no-write-json"]
        )
    assert result.success
    return {item.node.unique_id: item.node.compiled_code for item in result.result}, heard


def test_the_same_sql_is_compiled_and_only_what_is_wanted_is_heard(tmp_path: Path) -> None:
    School(tmp_path)
    theirs, all_events = compiled(nullcontext())
    ours, heard = compiled(quickened(heard=["NodeFinished"]))
    assert len(ours) > 20
    assert ours == theirs
    assert {"NodeStart", "NodeFinished"} <= all_events
    assert heard == {"NodeFinished"}


def test_a_warning_is_heard_with_its_text() -> None:
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager
    from dbt_common.events.types import Note

    told: list[tuple[str, str]] = []
    manager = EventManager()
    manager.add_callback(lambda event: told.append(_level_and_text(event.info)))
    with quickened(heard=()):
        manager.fire_event(Formatting(msg="nobody wants this"))
        manager.fire_event(Note(msg="look here"), level=EventLevel.WARN)
    assert told == [("warn", "look here")]


def _level_and_text(info: Any) -> tuple[str, str]:
    return info.level, info.msg


def test_dbt_is_as_it_was_afterwards() -> None:
    before = dbt.context.macros.MacroNamespaceBuilder.build_namespace
    with quickened(heard=()):
        assert dbt.context.macros.MacroNamespaceBuilder.build_namespace is not before
    assert dbt.context.macros.MacroNamespaceBuilder.build_namespace is before


def test_another_dbt_runs_at_its_own_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(dbt.context.macros.MacroNamespaceBuilder, "build_namespace")
    with quickened(heard=()):
        assert not hasattr(dbt.context.macros.MacroNamespaceBuilder, "build_namespace")

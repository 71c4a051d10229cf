"""Dbt without the work that nobody sees does what dbt does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pytest
from dbt.cli.main import dbtRunner
from dbt.clients.jinja import MacroGenerator
from dbt.context.manifest import ManifestContext
from dbt.contracts.graph.nodes import Macro
from dbt.exceptions import PackageNotFoundForMacroError
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


def contexts(way: AbstractContextManager[None]) -> list[Mapping[str, Any]]:
    """What dbt hands to the templates of the selection, a model or a test after the other."""
    import dbt.compilation
    from dbt.context.providers import generate_runtime_model_context

    make = generate_runtime_model_context
    made: list[Mapping[str, Any]] = []

    def kept(*arguments: Any) -> Mapping[str, Any]:
        made.append(make(*arguments))
        return made[-1]

    with patch.object(dbt.compilation, "generate_runtime_model_context", kept):
        compiled(way)
    return sorted(made, key=lambda context: str(context["model"]["unique_id"]))


def told(value: Any) -> Any:
    """A macro by its id, a package by its macros, anything else by its type."""
    if isinstance(value, MacroGenerator):
        return cast("Macro", value.macro).unique_id
    if type(value).__name__ in ("dict", "_MadeWhenAskedFor"):
        return {name: told(item) for name, item in value.items() if name != "exceptions"}
    return type(value).__name__


def test_a_template_finds_the_same_under_every_name(tmp_path: Path) -> None:
    School(tmp_path)
    lazily, eagerly = contexts(quickened(heard=())), contexts(nullcontext())
    assert len(lazily) == len(eagerly) > 20
    for ours, theirs in zip(lazily, eagerly, strict=True):
        assert set(ours) == set(theirs)
        assert len(ours) > 500
        # The first compilation of the manifest leaves its SQL to the second; a context holds
        # itself; functions that raise errors are wrapped when they are asked for.
        apart = {"sql", "compiled_code", "model", "context", "exceptions"}
        for name in set(theirs) - apart:
            assert told(ours[name]) == told(theirs[name]), name
            assert name in ours
            assert ours.get(name) is ours[name]
        assert "no such macro" not in ours
        assert ours.get("no such macro", 1) == 1
        with pytest.raises(KeyError):
            ours["no such macro"]


def test_dispatching_finds_the_same_macros(tmp_path: Path) -> None:
    School(tmp_path)
    ours, theirs = (contexts(way)[0] for way in (quickened(heard=()), nullcontext()))
    for package, name in [
        (None, "default__create_table_as"),
        (None, "ref"),
        (None, "northstar"),
        ("dbt", "default__create_table_as"),
        ("northstar", "generate_schema_name"),
        ("northstar", "duckdb__create_table_as"),
    ]:
        found, expected = (
            context["adapter"]._namespace.get_from_package(package, name)
            for context in (ours, theirs)
        )
        assert told(found) == told(expected), (package, name)
    with pytest.raises(PackageNotFoundForMacroError):
        ours["adapter"]._namespace.get_from_package("elsewhere", "ref")


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
    before = ManifestContext._build_namespace
    with quickened(heard=()):
        assert ManifestContext._build_namespace is not before
    assert ManifestContext._build_namespace is before


def test_another_dbt_runs_at_its_own_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ManifestContext, "_build_namespace")
    with quickened(heard=()):
        assert not hasattr(ManifestContext, "_build_namespace")

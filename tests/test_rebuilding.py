"""What a rebuild sets up around the job, without the job."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest
from rich.console import Console

import orchestration.definitions
from orchestration.display import Display
from orchestration.errors import LandingError
from orchestration.liveness import alive, dead_runs
from orchestration.rebuilding import (
    _echoes_held_back,
    _few_collections,
    _in_one_sentence,
    rebuild,
)
from orchestration.settings import Settings


def test_python_collects_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with _few_collections():
        assert gc.get_threshold()[0] > before[0]
    with pytest.raises(ZeroDivisionError), _few_collections():
        raise ZeroDivisionError
    assert gc.get_threshold() == before
    assert gc.isenabled()


def test_an_error_that_stands_behind_itself_is_told_and_does_not_hang() -> None:
    first, second = ValueError("first"), KeyError("second")
    first.__context__, second.__context__ = second, first
    assert _in_one_sentence(first) is first
    second.__cause__ = LandingError("is not there")
    assert str(_in_one_sentence(first)) == "is not there"


def test_a_run_is_alive_from_dagsters_first_word_of_it_to_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in between without a sign, it would count as running for ever."""
    monkeypatch.setenv("NORTHSTAR_DATA_DIR", str(tmp_path))
    settings, run_id = Settings(), str(uuid4())

    @dg.op
    def step() -> None:
        with alive(settings, run_id):
            pass

    @dg.job
    def rebuild_job() -> None:
        step()

    job = dg.Definitions(jobs=[dg.JobDefinition(name="rebuild", graph_def=rebuild_job.graph)])
    monkeypatch.setattr(orchestration.definitions, "defs", lambda: job)
    said = {}
    handle = dg.DagsterInstance.handle_new_event

    def has_sign() -> bool:
        return (settings.lock.parent / "runs" / f"{run_id}.alive").exists() and not dead_runs(
            settings
        )

    def hear(self: dg.DagsterInstance, event: Any, **options: Any) -> Any:
        if event.is_dagster_event:
            said[event.dagster_event.event_type_value] = has_sign()
        return handle(self, event, **options)

    monkeypatch.setattr(dg.DagsterInstance, "handle_new_event", hear)

    rebuild(settings, run_id, Display(Console(file=io.StringIO())))

    assert {"PIPELINE_START", "STEP_SUCCESS", "PIPELINE_SUCCESS"} <= set(said)
    assert [kind for kind, shown in said.items() if not shown] == []
    assert not has_sign()


def _break_off() -> None:
    """Close a generator that does not let itself be closed."""

    def stubborn() -> Iterator[int]:
        try:
            yield 1
        except GeneratorExit:
            yield 2

    next(stubborn())


def test_traces_of_what_broke_off_are_told_unless_the_run_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with _echoes_held_back():
        _break_off()
        assert capsys.readouterr().err == ""
    assert "generator ignored GeneratorExit" in capsys.readouterr().err

    def fail() -> None:
        _break_off()
        raise LandingError("is not there")

    with pytest.raises(LandingError), _echoes_held_back():
        fail()
    assert capsys.readouterr().err == ""

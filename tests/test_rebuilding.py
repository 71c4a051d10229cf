"""What a rebuild sets up around the job, without the job."""

from __future__ import annotations

import gc

import pytest

from orchestration.errors import LandingError
from orchestration.rebuilding import _few_collections, _in_one_sentence


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

"""What a rebuild sets up around the job, without the job."""

from __future__ import annotations

import gc

import pytest

from orchestration.rebuilding import _few_collections


def test_python_collects_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with _few_collections():
        assert gc.get_threshold()[0] > before[0]
    with pytest.raises(ZeroDivisionError), _few_collections():
        raise ZeroDivisionError
    assert gc.get_threshold() == before
    assert gc.isenabled()

"""One small demo for all tests of this folder that only read it."""

from __future__ import annotations

import pytest

from orchestration.demo import write_demo
from tests.demo.exports import LEARNERS, MONTHS, SEED, Demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    landing = tmp_path_factory.mktemp("demo") / "landing"
    return Demo(landing, write_demo(landing, learners=LEARNERS, months=MONTHS, seed=SEED))

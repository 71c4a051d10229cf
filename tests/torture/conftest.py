"""Tests that do damage: in short with `make test`, in full with `make torture`."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.torture.measure import MEASURE, SEED, SWITCH, Measure


@pytest.fixture(scope="session")
def measure() -> Measure:
    """How much is to be done, and the seed of what is random in it."""
    return MEASURE


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print with every failure what repeats it."""
    report = yield
    if report.failed:
        switch = f"{SWITCH}=full " if MEASURE.is_full else ""
        report.sections.append(
            ("what repeats this", f"{switch}{SEED}={MEASURE.seed} pytest '{item.nodeid}'")
        )
    return report

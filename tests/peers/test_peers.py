"""The analytics macros against the numbers of other systems, as far as their cases are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tests.peers.cases import load_cases
from tests.peers.verdicts import (
    Verdict,
    cases_folder,
    judge_folder,
    report,
    too_many_unsupported,
)

FOLDER = cases_folder()
IDS = [case.id for case in load_cases(FOLDER)]

needs_cases = pytest.mark.skipif(not IDS, reason=f"there are no cases in {FOLDER}")


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Verdict]:
    judged = judge_folder(FOLDER, tmp_path_factory.mktemp("peers"))
    return {verdict.case_id: verdict for verdict in judged}


@needs_cases
@pytest.mark.parametrize("case_id", IDS)
def test_the_numbers_are_those_of_the_peer(case_id: str, verdicts: Mapping[str, Verdict]) -> None:
    verdict = verdicts[case_id]
    if verdict.outcome == "unsupported":
        pytest.skip(f"unsupported: {verdict.reason}")
    assert verdict.outcome == "passed", verdict.reason


@needs_cases
def test_at_most_one_case_in_ten_is_left_out(verdicts: Mapping[str, Verdict]) -> None:
    judged: Sequence[Verdict] = list(verdicts.values())
    assert not too_many_unsupported(judged), report(judged)

"""Net promoter scores."""

from __future__ import annotations

from collections.abc import Sequence

from tests.peers.cases import Case, Question, Rows, UnsupportedError


def nps(case: Case) -> Question:
    """The score from its sums, or from a list of answers."""
    sums = [case.query.get(name) for name in ("promoters", "detractors", "respondents")]
    if None in sums:
        raise UnsupportedError("the query has no promoters, detractors and respondents")
    digits = 1
    wanted = case.expected.get("nps_rounded_to_one_decimal")
    if wanted is None:
        wanted, digits = case.expected.get("nps"), 6
    given = ", ".join(f"'{int(value)}'" for value in sums if value is not None)
    sql = f"select {{{{ round_half_away(nps_score({given}), {digits}) }}}}"

    def differences(results: Sequence[Rows]) -> list[str]:
        ((score,),) = results[0]
        close = wanted is not None and abs(score - round(wanted, digits)) < 1e-9
        return [] if close else [f"the score is {score}, not {wanted}"]

    return Question([sql], differences)

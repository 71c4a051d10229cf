"""What may be told of errors of DuckDB, and of dbt, which hands them on as text.

Those about values quote the values: an address that is no number, a key that is there twice. They
must not reach a terminal, a log or Dagster's records.
"""

from __future__ import annotations

import re

from orchestration.disk import words_of_a_full_disk

# What dbt writes above an error of a node.
_HEADING = re.compile(r"\A\s*(?P<kind>[A-Z][a-z]+ Error)(?: in [^\n]*)?\n\s*")
_KIND = re.compile(r"[A-Z][A-Za-z]*(?: [A-Za-z]+){0,3} Error(?=: )")
# These are about files, memory, and words of the SQL, and come before any value is looked at.
_TOLD = ("IO Error", "Out of Memory Error", "Catalog Error", "Binder Error", "Parser Error")
# Of dbt's own ones: about its templates and contracts.
_TOLD_OF_DBT = ("Compilation Error",)
# Which constraint of a contract it was names no value, unlike those about keys.
_OF_A_CONTRACT = re.compile(
    r"Constraint Error: (?:NOT NULL constraint failed: |CHECK constraint failed on table )[^\n]+"
)
_EXCERPT = re.compile(r"\s*\n\s*LINE \d+:.*\Z", re.DOTALL)


def reduced(error: BaseException | str) -> str:
    """The kind of an error, with its text where that can quote no value.

    Args:
        error: of DuckDB, or what dbt says about one. What is told of a full disk stays in it.
    """
    text = str(error)
    heading = _HEADING.match(text)
    said = text if heading is None else text[heading.end() :]
    found = _KIND.match(said.lstrip())
    if contract := _OF_A_CONTRACT.match(said.lstrip()):
        return _in_one_line(contract.group())
    if found is not None and found.group() in _TOLD:
        return _in_one_line(_EXCERPT.sub("", said))
    if found is None and heading is not None and heading["kind"] in _TOLD_OF_DBT:
        return f"{heading['kind']}: {_in_one_line(said)}"
    if found is not None:
        kind = found.group()
    elif heading is not None:
        kind = heading["kind"]
    else:
        kind = "an error of an unknown kind" if isinstance(error, str) else type(error).__name__
    # Whoever fails for lack of space, such as a commit, says so somewhere in the text.
    full = words_of_a_full_disk(said)
    return kind if full is None else f"{kind}: {full}"


def _in_one_line(text: str) -> str:
    return " ".join(text.split())

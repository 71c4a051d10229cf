"""Reads a contract's YAML so that what stands in the file is what is meant.

Every plain word stays the text that it is: `no` is not false, `2017-06-01` not a date and `042` not
34. Only an empty value, `~` and `null` are null. A key that is written twice is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from orchestration.errors import ContractError

_NULLS = {"", "~", "null", "Null", "NULL"}
_STRING = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"


class _TextLoader(yaml.SafeLoader):
    """YAML whose plain scalars are texts."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode:
            return _NULL if implicit[0] and value in _NULLS else _STRING
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: ARG002 - contracts are small, and always built at once
    ) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a key must be a word", problem_mark=key.start_mark
                )
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} is written twice; keep one of them",
                    problem_mark=key.start_mark,
                )
            seen.add(key.value)
        # A key that looks like a null is a text, too: an answer can be the word `null`.
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}


def read_document(path: Path) -> dict[str, Any]:
    """Parse a YAML file.

    Raises:
        ContractError: naming file, line and column of what is not YAML.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_TextLoader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" line {mark.line + 1}, column {mark.column + 1}:" if mark else ""
        raise ContractError(f"{path}:{where} {error.problem}. Correct the YAML there.") from None
    except yaml.YAMLError as error:
        raise ContractError(f"{path}: is not YAML: {error}. Correct the file.") from None
    except UnicodeDecodeError:
        raise ContractError(f"{path}: is not UTF-8 text. Save the file as UTF-8.") from None
    except RecursionError:
        raise ContractError(f"{path}: is nested too deeply. Flatten the file.") from None
    if not isinstance(document, dict):
        raise ContractError(
            f"{path}: holds no keys. Begin it with `kind: tracking_plan`, `kind: survey_mapping`, "
            "`kind: satismeter` or `kind: themes`, or remove the file."
        )
    return document

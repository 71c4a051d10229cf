"""What all contracts share: strictness, where they came from, their fingerprint, error texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from orchestration.errors import ContractError


class Strict(BaseModel):
    """Refuses keys that it does not know and values of another type; cannot be changed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FileContract(Strict):
    """A contract that is one YAML file."""

    _path: Path = PrivateAttr(default=Path())

    @property
    def path(self) -> Path:
        """The file it was read from."""
        return self._path

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what decides how rows are read: files are read again when it changes."""
        return fingerprint_of(self._reading())

    def _reading(self) -> Any:
        """What decides how rows are read, as JSON-like data."""
        raise NotImplementedError

    @classmethod
    def parse(cls, document: dict[str, Any], path: Path) -> Self:
        """Check a parsed YAML document.

        Raises:
            ContractError: naming the file, each wrong key (dotted) and what to do about it.
        """
        try:
            # By way of JSON, where a list may become a tuple and everything else stays strict.
            contract = cls.model_validate_json(json.dumps(document, default=str))
        except ValidationError as error:
            raise ContractError(describe(path, error)) from None
        contract._path = path
        return contract


def fingerprint_of(content: Any) -> str:
    """SHA-256 of JSON-like data, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def describe(path: Path, error: ValidationError) -> str:
    """The problems of a file in words: key and remedy of each."""
    problems = error.errors(include_url=False, include_context=True)
    return f"{path}: " + "; ".join(_problem(dict(item)) for item in problems)


def dotted(location: Iterable[str | int]) -> str:
    """`('roles', 'plan', 0)` as `roles.plan[0]`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part != "[key]":
            text += f".{part}" if text else part
    return text


def _problem(item: dict[str, Any]) -> str:
    key, kind, value = dotted(item["loc"]), item["type"], item.get("input")
    context = item.get("ctx", {})
    where = f"{key}: " if key else ""
    match kind:
        case "missing":
            return f"{where}is missing; add it."
        case "extra_forbidden":
            return f"{where}is not a key that is known here; correct its spelling or remove it."
        case "literal_error":
            return f"{where}{value!r} is not one of {context['expected']}; write one of these."
        case "value_error":
            return f"{where}{context['error']}"
        case "string_type":
            return f"{where}must be a text; write one, in quotes where it could be misread."
        case "tuple_type":
            return f"{where}must be a list; write it as `[a, b]`."
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"{where}must hold keys; write it as `key: value`."
        case _:
            return f"{where}{item['msg']}; correct it."

"""One alert: what a person reads."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Texts are made of names of checks, tables and settings. Should an address ever be among them, it
# is none of the business of a chat or a mailbox.
_ADDRESS = re.compile(r"[^\s@<>()\"']+@[^\s@<>()\"']+")


class Alert(BaseModel):
    """Something that a person should look at.

    Attributes:
        key: what it is about; alerts with the same key are told once.
        severity: of an error nothing new was published, or readers see old figures.
        title: one line.
        details: one line each.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    severity: Literal["error", "warning"]
    title: str
    details: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """Title and details, as they may leave the machine: one line each, without addresses."""
        return tuple(_safe(line) for line in (self.title, *self.details))

    @property
    def text(self) -> str:
        """All of it."""
        first, *others = self.lines
        return "\n".join([first, *(f"- {line}" for line in others)])


def _safe(line: str) -> str:
    return _ADDRESS.sub("(an address)", _CONTROL.sub(" ", line)).strip()

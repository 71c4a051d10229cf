"""How Satismeter's user traits become columns."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from orchestration.contracts.base import FileContract
from orchestration.contracts.vocabulary import Segment

Trait = Literal["plan", "language", "course_id"]


def _check_trait(name: str) -> str:
    if not name.strip() or "\0" in name:
        raise ValueError("is blank; write the name of a trait or remove the line.")
    return name


class SatismeterMapping(FileContract):
    """The traits that are kept.

    Attributes:
        traits: column of the warehouse -> the trait's name at Satismeter.
        plans: what the trait of the plan says -> the segment; others are null, and reported.
    """

    kind: Literal["satismeter"] = "satismeter"
    traits: dict[Trait, Annotated[str, AfterValidator(_check_trait)]] = Field(default_factory=dict)
    plans: dict[str, Segment] = Field(default_factory=dict)

    def _reading(self) -> Any:
        return {"traits": self.traits, "plans": self.plans}

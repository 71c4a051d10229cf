"""How Satismeter's user traits become columns."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from orchestration.contracts.base import FileContract
from orchestration.contracts.vocabulary import Segment

# The free text that Satismeter keeps apart from the answers.
FEEDBACK: Final = "feedback"

Trait = Literal["plan", "language", "course_id"]


def _check_trait(name: str) -> str:
    if not name.strip() or "\0" in name:
        raise ValueError("is blank; write the name of a trait or remove the line.")
    return name


def _check_name(name: str) -> str:
    if not name.strip() or "\0" in name:
        raise ValueError("is blank; write a name or remove the line.")
    return name


Name = Annotated[str, AfterValidator(_check_name)]


class SatismeterMapping(FileContract):
    """What is kept of a response.

    Attributes:
        traits: column of the warehouse -> the trait's name at Satismeter.
        plans: what the trait of the plan says -> the segment; others are null, and reported.
        rating_question: id or label of the answer that is the rating, for exports that have no
            `rating` of their own.
        comments: where free text is: `feedback`, or the ids or labels of open questions. It is
            masked when it is loaded. Empty: no comment is loaded.
        delivered_methods: methods (such as In-App) of which every survey that was shown leaves a
            response, dismissed and pending ones included. Of others nobody knows how many were
            delivered, and there is no response rate.
    """

    kind: Literal["satismeter"] = "satismeter"
    traits: dict[Trait, Annotated[str, AfterValidator(_check_trait)]] = Field(default_factory=dict)
    plans: dict[str, Segment] = Field(default_factory=dict)
    rating_question: Name | None = None
    comments: tuple[Name, ...] = (FEEDBACK,)
    delivered_methods: tuple[Name, ...] = ()

    def _reading(self) -> Any:
        return self.model_dump(mode="json", exclude={"kind"})

"""The words by which a comment's themes are found, a list per language."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from orchestration.contracts.base import FileContract

# What the marts call comments that are about nothing in the lists.
NO_THEME: Final = "none"
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_THEME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_WORD: Final = re.compile(r"\w+")


def folded(text: str) -> str:
    """A text as its words, without case, accents and punctuation, one blank between two words."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return " ".join(_WORD.findall(plain))


def _check_language(name: str) -> str:
    if not _LANGUAGE.fullmatch(name):
        raise ValueError(f"{name!r} is not a language; write its code, such as en or fr.")
    return name


def _check_theme(name: str) -> str:
    if name == NO_THEME:
        raise ValueError(f"{name!r} stands for comments without a theme; choose another name.")
    if not _THEME.fullmatch(name):
        raise ValueError(
            f"{name!r} is not the name of a theme; write small letters, digits and underscores, "
            "such as job_search."
        )
    return name


def _check_word(word: str) -> str:
    if not folded(word):
        raise ValueError(f"{word!r} has no letters; write a word, a phrase, or the part of one.")
    if "*" in word.strip().strip("*"):
        raise ValueError(f"{word!r}: a star stands at the beginning or the end of a word.")
    return word


Words = Annotated[
    tuple[Annotated[str, AfterValidator(_check_word)], ...], Field(min_length=1, max_length=500)
]


class Themes(FileContract):
    """What comments are about.

    A word or phrase is sought as whole words, without regard to case, accents and punctuation;
    `learn*` also finds what begins so, `*learn*` also what holds it (for languages that put no
    blanks between words).

    Attributes:
        languages: language -> theme -> words. A comment is held against the list of its language;
            one without a language, or in a language without a list, against all lists.
    """

    kind: Literal["themes"] = "themes"
    languages: Annotated[
        dict[
            Annotated[str, AfterValidator(_check_language)],
            dict[Annotated[str, AfterValidator(_check_theme)], Words],
        ],
        Field(min_length=1),
    ]

    @model_validator(mode="after")
    def _no_empty_lists(self) -> Self:
        for language, themes in self.languages.items():
            if not themes:
                raise ValueError(
                    f"languages.{language}: names no theme; add one, or remove the line."
                )
        return self

    def _reading(self) -> Any:
        return {
            language: {theme: sorted(words) for theme, words in themes.items()}
            for language, themes in self.languages.items()
        }

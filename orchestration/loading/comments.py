"""Comments while a file is loaded: masked, and told their themes, before they reach a table.

Only distinct comments are looked at, all at once, and outside of SQL; a load without comments costs
nothing. Tables hold keyed hashes of the texts until they are masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import duckdb

from orchestration.contracts import Themes, folded
from orchestration.loading.masking import mask
from orchestration.loading.rows import stage

MASKED: Final = "masked_comments"
_COLUMNS: Final = {"comment_key": "UUID", "comment": "VARCHAR", "themes": "VARCHAR[]"}

# Language and comment in, names of themes out.
Classifier = Callable[[str | None, str], list[str]]


def comment_key(text: str, language: str) -> str:
    """SQL: what a comment is found again by; null without one. Its language decides its themes."""
    return f"keyed_uuid('comment:' || coalesce({language}, '') || ':' || {text})"


def stage_comments(
    connection: duckdb.DuckDBPyConnection, found: str | None, themes: Themes | None
) -> None:
    """(Re)create the temporary table `masked_comments`.

    Columns: comment_key, comment (masked), themes (sorted; null without a word list).

    Args:
        connection: with the pseudonym macros.
        found: a query of columns text and language; None where no comment is asked for.
        themes: the word lists.
    """
    comments: list[tuple[str, str, str | None]] = []
    if found is not None:
        comments = connection.execute(
            f"""
            select {comment_key("text", "language")}::varchar, any_value(text), any_value(language)
            from ({found})
            where text is not null
            group by 1
            """
        ).fetchall()
    classify = classifier(themes) if themes is not None else None
    rows = []
    for key, text, language in comments:
        masked = mask(text)
        found_themes = classify(language, masked) if classify is not None else None
        rows.append({"comment_key": key, "comment": masked or None, "themes": found_themes})
    stage(connection, MASKED, _COLUMNS, rows)


def classifier(themes: Themes) -> Classifier:
    """What says which themes a comment has: sorted names, none for a comment about other things."""
    patterns = {
        language: {theme: _pattern(words) for theme, words in listed.items()}
        for language, listed in themes.languages.items()
    }
    everything = [pattern for listed in patterns.values() for pattern in listed.items()]

    def classify(language: str | None, comment: str) -> list[str]:
        text = folded(comment)
        listed = patterns.get(re.split(r"[-_]", (language or "").strip().lower())[0])
        sought = everything if listed is None else listed.items()
        return sorted({theme for theme, pattern in sought if pattern.search(text)})

    return classify


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    """One expression for all words of a theme, on folded text."""
    return re.compile("|".join(map(_word_pattern, words)))


def _word_pattern(word: str) -> str:
    word = word.strip()
    begins = "" if word.startswith("*") else r"(?<!\S)"
    ends = "" if word.endswith("*") else r"(?!\S)"
    return f"{begins}{re.escape(folded(word))}{ends}"

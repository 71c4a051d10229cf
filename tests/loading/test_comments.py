"""Comments: what is masked, which themes are found, and that no unmasked word reaches a file."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestration.contracts import Themes
from orchestration.errors import ContractError
from orchestration.loading.comments import classifier
from orchestration.loading.masking import LONGEST, mask
from orchestration.loading.surveys import SurveyReader
from tests.loading.readers import mapping, open_desk
from tests.loading.test_load import School


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Write to ada.b+x@example.org.", "Write to [e-mail]."),
        ("mailto:ada@example.academy please", "[e-mail] please"),
        ("ada@localhost or josé@école.fr", "[e-mail] or [e-mail]"),
        ("ada\uff20example.org", "[e-mail]"),  # a full-width @
        ("ada\u200b@exam\u200bple.org", "[e-mail]"),  # characters without a width
        ("see https://example.org/a?b=c#d!", "see [link]!"),
        ("see learn.example.academy/x and www.example.de", "see [link] and [link]"),
        ("at 192.168.10.20 or irc://host/x", "at [link] or [link]"),
        ("Appelez le 06 12 34 56 78 !", "Appelez le [phone] !"),
        ("+33 1 99 00 12 34, (415) 555-2671", "[phone], [phone]"),
        ("0470 12 34 56, +47 98765432", "[phone], [phone]"),
        ("pupil 123456, order 1 2 3 4 5 6 7 8 9", "pupil [number], order [number]"),
        ("Mes numéros: 22 345 678, 70-12-34-56", "Mes numéros: [number], [number]"),
        ("In 2024-2025, on 2026-01-31 at 10:30: 10/10, 12345!", None),
        ("31/01/2026 10:30, 1.2.2026, 2024/2025; 100 000 km", None),
        ("The app... and/or me: 3.5 of 5; e.g. so", None),
        ("Great.\nMore\x00\x1f please", "Great.\nMore please"),
        ("", ""),
    ],
)
def test_what_tells_who_somebody_is_is_masked(text: str, masked: str | None) -> None:
    assert mask(text) == (text if masked is None else masked)


def test_a_giant_comment_is_cut() -> None:
    assert mask("word " * LONGEST) == ("word " * (LONGEST // 5)).rstrip() + " …"


@pytest.mark.parametrize("secret", ["canary@example.org", "+33 6 12 34 56 78", "(415) 555-2671"])
def test_nothing_is_left_of_what_a_cut_goes_through(secret: str) -> None:
    for kept in range(len(secret) + 2):
        text = ("word " * LONGEST)[: LONGEST - kept - 1] + f" {secret} and so on" + " word" * 9
        masked = mask(text)
        assert len(masked) <= LONGEST + 2
        assert "canary" not in masked
        assert not set("0123456789") & set(masked)


ORDINARY = st.text(string.ascii_letters + string.digits + " .,;:!?()'\n-éßж例", max_size=20)
NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8).map(
    "canary".__add__
)
SECRETS = st.one_of(
    st.builds("{}@{}.org".format, NAMES, NAMES),
    st.builds("{}.{}@{}.co.uk".format, NAMES, NAMES, NAMES),
    st.builds("https://{}.example.com/{}?q={}".format, NAMES, NAMES, NAMES),
    st.builds("www.{}.com".format, NAMES),
    st.from_regex(r"\A(\+33 [67]|06)( [1-9]{2}){4}\Z"),
    st.from_regex(r"\A[0-9]{6,16}\Z"),
)


@settings(max_examples=50, deadline=None)
@given(before=ORDINARY, secret=SECRETS, after=ORDINARY)
@example(before="", secret="canary@example.org", after="")
def test_no_secret_survives_whatever_stands_around_it(before: str, secret: str, after: str) -> None:
    masked = mask(f"{before} {secret} {after}")
    assert "canary" not in masked
    assert secret not in masked
    assert sum(letter.isdigit() for letter in secret if "canary" not in secret) < 6 or (
        secret[-6:] not in masked
    )
    assert mask(masked) == masked


def themes(**languages: Any) -> Themes:
    return Themes.parse({"kind": "themes", "languages": languages}, Path("themes.yml"))


def test_words_are_whole_words_without_case_and_accents() -> None:
    classify = classifier(
        themes(
            fr={"price": ["cher", "prix"], "job": ["entretien d'embauche", "emploi*"]},
            ja={"pace": ["*速い*"]},
        )
    )
    assert classify("fr", "Trop CHER, prìx élevé") == ["price"]
    assert classify("fr", "un chercheur") == []
    assert classify("fr-CA", "mon entretien d\u2019embauche; deux emplois") == ["job"]
    assert classify("ja", "とても速いです") == ["pace"]
    assert classify("ja", "cher") == []
    # Without a language, or a list for it, all lists are tried.
    assert classify(None, "cher et 速い") == ["pace", "price"]
    assert classify("de", "cher") == ["price"]


@pytest.mark.parametrize(
    ("languages", "told"),
    [
        ({"French": {"pace": ["vite"]}}, "'French' is not a language"),
        ({"fr": {"Trop vite": ["vite"]}}, "'Trop vite' is not the name of a theme"),
        ({"fr": {"none": ["rien"]}}, "'none' stands for comments without a theme"),
        ({"fr": {"pace": []}}, "languages.fr.pace"),
        ({"fr": {}}, "languages.fr: names no theme"),
        ({}, "languages"),
        ({"fr": {"pace": ["!"]}}, "'!' has no letters"),
        ({"fr": {"pace": ["a*b"]}}, "a star stands at the beginning or the end"),
        ({"fr": {"pace": "vite"}}, "must be a list"),
    ],
)
def test_a_wrong_word_list_is_refused_with_its_key(languages: Any, told: str) -> None:
    with pytest.raises(ContractError, match=r"themes\.yml: ") as error:
        themes(**languages)
    assert told in str(error.value)


def test_unmasked_comments_of_a_csv_never_reach_the_warehouse_file(tmp_path: Path) -> None:
    read = mapping(
        columns={
            "submitted_at": {"header": "at"},
            "nps_score": {"header": "score"},
            "language": {"header": "language", "values": {"French": "fr"}},
            "comment": {"header": "why"},
        }
    )
    words = themes(en={"pace": ["write"]}, fr={"pace": ["ecrivez"]})
    content = (
        "at,score,language,why\n"
        '2026-01-01 10:00:00,9,French,"Écrivez\nà canary1@example.org"\n'
        "2026-01-01 10:00:00,3,English,write to canary2.example.org/x\n"
        "2026-01-01 10:00:00,3,,\n"
        "2026-13-01 10:00:00,3,,canary3@example.org\n"
    )
    with open_desk(tmp_path) as desk:
        rows = desk.read(SurveyReader(read, words), content)
        desk.connection.execute("checkpoint")
    assert [(row["language"], row["comment"], row["themes"]) for row in rows] == [
        ("fr", "Écrivez\nà [e-mail]", ["pace"]),
        ("English", "write to [link]", ["pace"]),
        (None, None, None),
    ]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"canary" not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("columns", "keep", "told"),
    [
        ({"comment": {"constant": "x"}}, {}, "columns.comment: is free text"),
        (
            {"comment": {"header": "why"}},
            {"reason": {"header": "why"}},
            "keep.reason: is the column",
        ),
    ],
)
def test_a_comment_is_not_kept_unmasked(columns: Any, keep: Any, told: str) -> None:
    with pytest.raises(ContractError, match=told):
        mapping(columns={"submitted_at": {"header": "at"}, **columns}, keep=keep)


def test_files_with_comments_are_read_again_when_the_words_change(tmp_path: Path) -> None:
    school = School(tmp_path)
    satismeter = school.settings.landing / "satismeter" / "responses.json"
    surveys = school.settings.landing / "surveys"
    satismeter.parent.mkdir(parents=True)
    surveys.mkdir()
    told = {"id": "r1", "created": "2026-01-01T00:00:00Z", "rating": 9, "feedback": "too fast"}
    satismeter.write_text(json.dumps([told]))
    for name, more in (("with", "  comment: {header: why}\n"), ("without", "")):
        (surveys / f"{name}.csv").write_text("at,why\n2026-01-01,too fast\n2026-01-02,\n")
        (school.settings.sources / f"{name}.yml").write_text(
            f"kind: survey_mapping\nsurvey: {name}\nsource: survey\nfiles: [surveys/{name}.csv]\n"
            f"columns:\n  submitted_at: {{header: at}}\n{more}"
        )

    def comments() -> list[Any]:
        return school.query(
            "select comment, themes from raw.satismeter_responses union all by name "
            "select comment, themes from raw.survey_responses where survey = 'with' "
            "and comment is not null"
        )

    assert school.load().new_files == 3
    assert comments() == [("too fast", None)] * 2
    words = school.settings.sources / "themes.yml"
    for theme in ("pace", "hurry"):
        words.write_text(f"kind: themes\nlanguages: {{en: {{{theme}: [too fast]}}}}\n")
        report = school.load()
        assert (report.changed_files, report.unchanged_files) == (2, 1)
        assert comments() == [("too fast", [theme])] * 2
    assert school.load().changed_files == 0

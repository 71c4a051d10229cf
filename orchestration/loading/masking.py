"""Takes out of free text what tells who somebody is or how to reach them.

E-mail addresses and links are found by linkify-it-py, phone numbers by phonenumbers; what they miss
(an address without a known domain, a national number of another country) is caught by plainer rules
behind them, which would rather mask too much. Names of people are not found: masked comments are
still nobody's business but the school's.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

from linkify_it import LinkifyIt
from linkify_it.tlds import TLDS
from phonenumbers import Leniency, PhoneNumberMatcher

# Decides with the contracts how files are read: raise it when a rule changes, and comments are read
# again.
VERSION: Final = 2
EMAIL: Final = "[e-mail]"
LINK: Final = "[link]"
PHONE: Final = "[phone]"
NUMBER: Final = "[number]"

# Nobody writes more into a survey; what comes after is likely pasted, and would only cost time.
LONGEST: Final = 10_000
# Where a text is cut, what is left of an address or a number could no longer be told: no address is
# longer than this, and no number has other characters. Only the end is searched: what is made to
# take for ever is long.
_CUT_END: Final = 400
_CUT: Final = re.compile(r"\S{1,320}\Z")
_CUT_NUMBER: Final = re.compile(r"\S{0,20}\d[\d .\-/()]*\Z")
# Characters without a width can stand within an address and hide it.
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]+ ?")
# No address or link is without one of these between two other characters.
_MAYBE_LINK: Final = re.compile(r"\S[.@:/]\S")
_LEFT_OVER_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+")
_LEFT_OVER_LINK: Final = re.compile(r"\w+://\S+")
# Countries whose numbers are known without a code of the country; all others are numbers below.
_REGIONS: Final = (None, "FR", "US", "GB", "ES", "DE", "BR", "IN")
_FEWEST_DIGITS: Final = 6
_RUN: Final = r"\d{6,}"
_GROUPS: Final = r"\d(?:[ .\-/()]{0,2}\d){7,}"
_NUMBER: Final = re.compile(f"\\+?(?:{_GROUPS}|{_RUN})")
# Dates, with or without an hour behind them, and two years.
_DATE: Final = re.compile(
    r"(\d{4}([-./])\d{1,2}\2\d{1,2}|\d{1,2}([-./])\d{1,2}\3\d{4})( \d{1,2})?|\d{4} ?[-/] ?\d{4}"
)


def mask(text: str) -> str:
    """The text with placeholders for e-mail addresses, links, phone numbers and long digit runs.

    Long are six digits in a row, and eight with blanks, dots, hyphens, slashes or brackets between
    them; dates and pairs of years stay. Compatibility characters (such as full-width ones) become
    plain; control characters become blanks.
    """
    # Composing characters shortens a text, but never so much that what is cut here would matter.
    is_cut = len(text) > 4 * LONGEST
    text = unicodedata.normalize("NFKC", text[: 4 * LONGEST]).translate(_INVISIBLE)
    text = _CONTROL.sub(" ", text).strip()
    if is_cut or len(text) > LONGEST:
        text = text[:LONGEST]
        end = _CUT_NUMBER.sub("", _CUT.sub("", text[-_CUT_END:]))
        text = (text[:-_CUT_END] + end).rstrip() + " …"
    if _MAYBE_LINK.search(text):
        text = _mask_links(text)
    if sum(map(str.isdigit, text)) >= _FEWEST_DIGITS:
        text = _NUMBER.sub(_mask_number, _mask_phones(text))
    return text


def _mask_number(found: re.Match[str]) -> str:
    return found[0] if _DATE.fullmatch(found[0]) else NUMBER


def _mask_links(text: str) -> str:
    found = _linkifier().match(text) or ()
    for match in reversed(found):
        mark = EMAIL if match.schema == "mailto:" else LINK
        text = text[: match.index] + mark + text[match.last_index :]
    return _LEFT_OVER_EMAIL.sub(EMAIL, _LEFT_OVER_LINK.sub(LINK, text))


def _mask_phones(text: str) -> str:
    for region in _REGIONS:
        # With a country's code a number need only be possible: new ranges are not in the library.
        leniency = Leniency.POSSIBLE if region is None else Leniency.VALID
        for match in reversed(list(PhoneNumberMatcher(text, region, leniency))):
            text = text[: match.start] + PHONE + text[match.end :]
    return text


@cache
def _linkifier() -> LinkifyIt:
    """Making it takes as long as masking a hundred comments."""
    linkifier = LinkifyIt().tlds(TLDS)
    linkifier.set({"fuzzy_ip": True, "fuzzy_link": True, "fuzzy_email": True})
    return linkifier

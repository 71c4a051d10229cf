"""Keyed hashes, held against RFC 4231 and Python's own."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.loading import pseudonyms
from tests.loading.readers import SECRET, Desk, open_desk

# Cases 1, 2, 6 and 7 of RFC 4231; those between have messages that are no text.
VECTORS = [
    (
        b"\x0b" * 20,
        "Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    (
        b"Jefe",
        "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        b"\xaa" * 131,
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        "This is a test using a larger than block-size key and a larger than block-size data. "
        "The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with open_desk(tmp_path_factory.mktemp("pseudonyms")) as desk:
        yield desk


@pytest.mark.parametrize(("key", "message", "digest"), VECTORS)
def test_the_hash_is_that_of_rfc_4231(key: bytes, message: str, digest: str) -> None:
    connection = duckdb.connect()
    pseudonyms.install(connection, key)
    assert connection.execute("select hmac_sha256($1)", [message]).fetchall() == [(digest,)]


def test_a_key_is_the_first_half_of_the_hash() -> None:
    # Case 5 of RFC 4231 gives the first 128 bits.
    connection = duckdb.connect()
    pseudonyms.install(connection, b"\x0c" * 20)
    found = connection.execute("select keyed_uuid('Test With Truncation')").fetchall()
    assert found[0][0].hex == "a3b6167473100ee06e0c796c2955552b"


@given(message=st.text(st.characters(codec="utf-8")))
def test_sql_and_python_give_the_same_key(desk: Desk, message: str) -> None:
    found = desk.connection.execute("select keyed_uuid($1)", [message]).fetchall()[0][0]
    assert found == pseudonyms.keyed_uuid(SECRET, message)
    assert found.bytes == hmac.digest(SECRET, message.encode(), hashlib.sha256)[:16]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("user_key(' u-1 ')", "u-1"),
        ("email_key(' Ada@Example.ORG ')", "email:ada@example.org"),
        ("device_key('d')", "device:d"),
        ("amplitude_key('7')", "amplitude:7"),
        ("zendesk_user_key('8')", "zendesk_user:8"),
    ],
)
def test_each_kind_of_id_has_a_message_of_its_own(desk: Desk, sql: str, message: str) -> None:
    assert desk.select(f"select {sql} as key") == [{"key": desk.key(message)}]


def test_nobody_has_no_key(desk: Desk) -> None:
    found = desk.select("select user_key(' ') as u, email_key(null) as e, keyed_uuid(null) as k")
    assert found == [{"u": None, "e": None, "k": None}]


def test_the_secret_stands_in_no_macro(desk: Desk) -> None:
    macros = desk.select("select macro_definition from duckdb_functions() where internal = false")
    assert len(macros) >= 7
    texts = " ".join(str(macro["macro_definition"]) for macro in macros)
    assert SECRET.decode() not in texts
    assert SECRET.hex() not in texts.lower()

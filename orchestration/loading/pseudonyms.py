"""Keyed hashes in SQL: identifiers become pseudonyms while they are read, before they are stored.

A key is the first 128 bits of HMAC-SHA256(secret, message), as a UUID. The secret itself never
appears in SQL text: its two padded blocks (RFC 2104) are connection variables.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid

import duckdb

_BLOCK_BYTES = 64


def install(connection: duckdb.DuckDBPyConnection, secret: bytes) -> None:
    """Make the macros `hmac_sha256(message)` (hex) and `keyed_uuid(message)` known to a connection.

    Both give null for null. `blob || blob` is deliberate: `concat()` turns blobs into text first
    and silently gives another hash.
    """
    block = hashlib.sha256(secret).digest() if len(secret) > _BLOCK_BYTES else secret
    block = block.ljust(_BLOCK_BYTES, b"\0")
    for name, pad in (("hmac_inner", 0x36), ("hmac_outer", 0x5C)):
        connection.execute(f"set variable {name} = ?::blob", [bytes(byte ^ pad for byte in block)])
    salt = hmac.new(secret, b"insert:", hashlib.sha256).hexdigest()[:32]
    connection.execute("set variable insert_salt = $1", [salt])
    connection.execute(
        """
        create or replace temp macro hmac_sha256(message) as
            sha256(
                getvariable('hmac_outer')
                || unhex(sha256(getvariable('hmac_inner') || encode(message)))
            )
        """
    )
    connection.execute(
        "create or replace temp macro keyed_uuid(message) as "
        "substring(hmac_sha256(message), 1, 32)::uuid"
    )
    # The macros of each kind of id: one place says how it is written before it is hashed.
    for kind, message in (
        ("user", "nullif(trim(id), '')"),
        ("email", "'email:' || nullif(lower(trim(id)), '')"),
        ("device", "'device:' || nullif(trim(id), '')"),
        ("amplitude", "'amplitude:' || nullif(trim(id), '')"),
        ("zendesk_user", "'zendesk_user:' || nullif(trim(id), '')"),
    ):
        connection.execute(f"create or replace temp macro {kind}_key(id) as keyed_uuid({message})")


def keyed_uuid(secret: bytes, message: str) -> uuid.UUID:
    """The same key in Python, for single values such as a canary in a test or a tombstone."""
    return uuid.UUID(hex=hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()[:32])

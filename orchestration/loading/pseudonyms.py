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
    _set_blocks(connection, "hmac", secret)
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


def install_hash(connection: duckdb.DuckDBPyConnection, name: str, secret: bytes) -> None:
    """Make another keyed hash known, `<name>_uuid(message)`, such as that of the tombstones."""
    _set_blocks(connection, name, secret)
    connection.execute(
        f"""
        create or replace temp macro {name}_uuid(message) as
            sha256(
                getvariable('{name}_outer')
                || unhex(sha256(getvariable('{name}_inner') || encode(message)))
            )[:32]::uuid
        """
    )


def _set_blocks(connection: duckdb.DuckDBPyConnection, name: str, secret: bytes) -> None:
    """The two padded blocks of a secret as connection variables: it never stands in SQL."""
    block = hashlib.sha256(secret).digest() if len(secret) > _BLOCK_BYTES else secret
    block = block.ljust(_BLOCK_BYTES, b"\0")
    for part, pad in (("inner", 0x36), ("outer", 0x5C)):
        padded = bytes(byte ^ pad for byte in block)
        connection.execute(f"set variable {name}_{part} = ?::blob", [padded])


def keyed_uuid(secret: bytes, message: str) -> uuid.UUID:
    """The same key in Python, for single values such as a canary in a test or a tombstone."""
    return uuid.UUID(hex=hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()[:32])

"""Changes the pseudonym key: what was made with the old one is made anew from landing."""

from __future__ import annotations

import json
import secrets

from pydantic import SecretStr

from orchestration.durable import sync, write_file
from orchestration.erasing.requests import (
    is_published_since,
    publications_now,
    remove_old_publications,
    remove_warehouse,
)
from orchestration.errors import SecretError
from orchestration.inputs import is_demo
from orchestration.secret import pseudonym_key, replace_key, rotation_file
from orchestration.settings import Settings

_SHORTEST = 16


def new_secret(settings: Settings, given: str | None) -> SecretStr | None:
    """The secret to be: what was given, or for a demo one that is made here.

    Raises:
        SecretError: own exports without a new secret, or one that is too short.
    """
    text = (given or "").strip()
    if not text:
        if is_demo(settings) and settings.secret is None:
            return None
        raise SecretError(
            "No new secret was given. Write it to standard input, or set NORTHSTAR_SECRET_NEW: "
            "`openssl rand -hex 32` makes one. Nothing was changed."
        )
    if len(text) < _SHORTEST:
        raise SecretError(
            f"The new secret must have {_SHORTEST} characters or more. Nothing was changed."
        )
    return SecretStr(text)


def replace_secret(settings: Settings, new: SecretStr | None) -> None:
    """Put another key in force. Call it under the rebuild lock; a rebuild is to follow.

    First the warehouse goes, then the fingerprint is replaced in one step: killed before it, the
    old key is in force; after it, the new one; and `make run` with that one completes it.

    Args:
        settings: hold the old secret.
        new: the new one; null makes one, for a demo.

    Raises:
        SecretError: the old secret is not the one in force, or the new one cannot take its place.
    """
    old = pseudonym_key(settings, is_demo=is_demo(settings))
    key = secrets.token_hex(32) if new is None else new.get_secret_value()
    if key.encode() == old:
        raise SecretError("The new secret is the old one. Nothing was changed.")
    # Written first: whatever stops this, the publications that were there are made anew or go.
    content = json.dumps({"before": publications_now(settings)})
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_file(rotation_file(settings), content.encode(), 0o600)
    remove_warehouse(settings)
    replace_key(settings, key.encode())


def finish_rotation(settings: Settings) -> list[str] | None:
    """Remove the publications of before a rotation, once there is one of after it.

    Returns:
        Their ids; null where no rotation waits for it.
    """
    marker = rotation_file(settings)
    try:
        told = json.loads(marker.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if not is_published_since(settings, told):
        return None
    removed = remove_old_publications(settings)
    marker.unlink()
    sync(marker.parent)
    return removed

"""The pseudonym key: where it comes from, and that it is still the one the data was built with.

A key that changes unnoticed would give every learner a second key: nobody would be found again.
Its fingerprint is therefore kept in `data/state`. The fingerprint is salted and slow to compute, so
that a stolen state folder does not help to guess a short secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from orchestration.durable import write_file
from orchestration.errors import LandingError, SecretError
from orchestration.settings import Settings

_FIXED_TEXT = b"northstar pseudonym key"
# 16 MiB and about 50 ms a guess.
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1

Kind = Literal["demo", "own"]


@dataclass(frozen=True)
class _Fingerprint:
    """What is kept of a key; of the one before it only while somebody may still use it."""

    kind: Kind
    salt: str
    digest: str
    rotations: int = 0
    previous_salt: str | None = None
    previous_digest: str | None = None

    def is_of(self, key: bytes) -> bool:
        return hmac.compare_digest(self.digest, _digest(key, bytes.fromhex(self.salt)))

    def is_before(self, key: bytes) -> bool:
        """Whether the key was in force until the last rotation."""
        if self.previous_salt is None or self.previous_digest is None:
            return False
        digest = _digest(key, bytes.fromhex(self.previous_salt))
        return hmac.compare_digest(self.previous_digest, digest)


def pseudonym_key(
    settings: Settings, *, is_demo: bool, on_made: Callable[[Path], None] | None = None
) -> bytes:
    """The key of all pseudonyms, checked against the one that was used before.

    Call it under the rebuild lock, before anything is written.

    Args:
        settings: hold `secret`, and say where state and warehouse are.
        is_demo: whether the landing folder holds demo exports: only for them a key is made.
        on_made: called with the key's file when a key was made, so that the run can say so.

    Raises:
        SecretError: own exports without a secret, a key that is not the one of `data/state`, or a
            demo where own exports were. Nothing was written then.
    """
    kind: Kind = "demo" if is_demo else "own"
    made: Path | None = None
    if settings.secret is not None:
        key = settings.secret.get_secret_value().encode()
    elif not is_demo:
        raise SecretError(
            "NORTHSTAR_SECRET is not set, and own exports need a secret of their own: it turns "
            "people's ids into keys. Make one with `openssl rand -hex 32`, keep it where passwords "
            "are kept (with another one nobody is found again), and run again."
        )
    elif _demo_key_file(settings).exists():
        key = _demo_key_file(settings).read_bytes()
    else:
        key = secrets.token_hex(32).encode()
        made = _demo_key_file(settings)

    kept = _read_fingerprint(_fingerprint_file(settings))
    is_kept = kept is not None and kept.is_of(key)
    if kept is not None and kept.kind == "own" and is_demo:
        # Their key, too: invented figures would be published in the place of theirs.
        raise SecretError(
            f"The landing folder holds demo exports, but {_fingerprint_file(settings)} belongs to "
            "own exports. Give the demo a folder of its own with NORTHSTAR_DATA_DIR. Nothing was "
            "changed."
        )
    if kept is not None and not is_kept:
        _refuse_unless_replaceable(settings, kept, kind, key)

    if made is not None:
        _make_state(settings)
        write_file(made, key, 0o600)
    if not is_kept or (kept is not None and kept.kind == "demo" and kind == "own"):
        _make_state(settings)
        _write_fingerprint(
            _fingerprint_file(settings), key, kind, kept.rotations if kept is not None else 0
        )
    if made is not None and on_made is not None:
        on_made(made)
    return key


def refuse_demo(settings: Settings) -> None:
    """Let nobody write a demo into the data folder of own exports.

    Call it before a demo is written because the landing folder is empty: it may be the mount point
    of a disk that is not there.

    Raises:
        LandingError: the key in force is that of own exports.
    """
    kept = _read_fingerprint(_fingerprint_file(settings))
    if kept is not None and kept.kind == "own":
        raise LandingError(
            f"{settings.landing} holds no exports, but {settings.data} is the data folder of own "
            "exports: is the disk mounted? Put them back and run again. A demo needs a data folder "
            "of its own: `NORTHSTAR_DATA_DIR=/path/to/another make run`, without "
            "NORTHSTAR_LANDING_DIR. Nothing was changed."
        )


def replace_key(settings: Settings, new: bytes) -> None:
    """Let another key be in force from now on: one file is replaced, in one step.

    The caller holds the rebuild lock, has checked the old key, and has removed the warehouse: no
    row may stay that was made with it.

    Raises:
        SecretError: there is no key to replace, it is the same, or a warehouse is there.
    """
    file = _fingerprint_file(settings)
    kept = _read_fingerprint(file)
    if kept is None:
        raise SecretError(
            f"{file} is not there: no key has been used yet. Set NORTHSTAR_SECRET and run "
            "`make run`. Nothing was changed."
        )
    if kept.is_of(new):
        raise SecretError(
            "The new secret is the one that is in force already. Make another one with "
            "`openssl rand -hex 32`. Nothing was changed."
        )
    if settings.warehouse.exists():
        raise SecretError(f"{settings.warehouse} still holds rows made with the old key.")
    if kept.kind == "demo":
        # First: with a key of its own that does not fit, a demo without rows takes it anyway.
        write_file(_demo_key_file(settings), new, 0o600)
    salt = secrets.token_bytes(16)
    fingerprint = _Fingerprint(
        kind=kept.kind,
        salt=salt.hex(),
        digest=_digest(new, salt),
        rotations=kept.rotations + 1,
        previous_salt=kept.salt,
        previous_digest=kept.digest,
    )
    write_file(file, json.dumps(asdict(fingerprint), indent=2).encode(), 0o600)


def rotation_file(settings: Settings) -> Path:
    """Lies there while a rotation of the key is not complete; names the publication before it."""
    return settings.state / "rotation.json"


def is_rotating(settings: Settings) -> bool:
    """Whether publications of before a rotation of the key may still be there."""
    return rotation_file(settings).exists()


def count_rotations(settings: Settings) -> int:
    """How often the key was replaced: tables made with another one are other tables."""
    kept = _read_fingerprint(_fingerprint_file(settings))
    return 0 if kept is None else kept.rotations


def _refuse_unless_replaceable(
    settings: Settings, kept: _Fingerprint, kind: Kind, key: bytes
) -> None:
    """Only the key of a demo may change, and only when no warehouse holds rows made with it."""
    file = _fingerprint_file(settings)
    if kept.is_before(key) and kept.kind == kind:
        raise SecretError(
            "NORTHSTAR_SECRET is the secret from before the last `make rotate-key`. Set the new "
            f"one (see {file}). Nothing was changed."
        )
    if kept.kind == "own":
        raise SecretError(
            f"NORTHSTAR_SECRET is not the secret that this data was built with (see {file}). Set "
            "the old one again. Nothing was changed."
        )
    if settings.warehouse.exists():
        raise SecretError(
            f"{settings.warehouse} was built from demo exports with another key. Remove the demo "
            "with `make clean` and run again. Nothing was changed."
        )


def _demo_key_file(settings: Settings) -> Path:
    return settings.state / "demo.key"


def _fingerprint_file(settings: Settings) -> Path:
    return settings.state / "key_fingerprint.json"


def _make_state(settings: Settings) -> None:
    settings.state.parent.mkdir(parents=True, exist_ok=True)
    settings.state.mkdir(mode=0o700, exist_ok=True)


def _read_fingerprint(path: Path) -> _Fingerprint | None:
    if not path.exists():
        return None
    try:
        fingerprint = _Fingerprint(**json.loads(path.read_text(encoding="utf-8")))
        bytes.fromhex(fingerprint.salt)
    except (ValueError, TypeError) as error:
        raise SecretError(
            f"{path} cannot be read, so nobody can tell whether the secret is the right one. Put "
            "the file back from the backup of the state folder. Nothing was changed."
        ) from error
    return fingerprint


def _write_fingerprint(path: Path, key: bytes, kind: Kind, rotations: int) -> None:
    salt = secrets.token_bytes(16)
    fingerprint = _Fingerprint(
        kind=kind, salt=salt.hex(), digest=_digest(key, salt), rotations=rotations
    )
    write_file(path, json.dumps(asdict(fingerprint), indent=2).encode(), 0o600)


def _digest(key: bytes, salt: bytes) -> str:
    proof = hmac.new(key, _FIXED_TEXT, hashlib.sha256).digest()
    return hashlib.scrypt(proof, salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, dklen=32).hex()

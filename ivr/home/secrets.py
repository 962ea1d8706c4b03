"""Secrets of one instance: made at first start, kept 0600 under the state folder.

They are never printed by default and never logged.  A file that exists is only ever added to:
losing the data key would lose every caller's number.
"""

from __future__ import annotations

import base64
import fcntl
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ivr.errors import HotlineError

_NONCE = 12  # bytes, the size AES-GCM is specified for (NIST SP 800-38D)


class KeysError(HotlineError):
    """The secrets cannot be read."""

    code = "keys"


@dataclass
class Keys:
    """All secrets: passwords by SIP user, PINs by operator number, keys as base64.

    ``instance`` is no secret: it names this instance in call ids and in a shared database.
    """

    instance: str = ""
    ami: str = ""
    agi: str = ""
    data: str = ""
    lookup: str = ""
    sip: dict[str, str] = field(default_factory=dict)
    pins: dict[str, str] = field(default_factory=dict)

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(base64.b64decode(self.data))

    def encrypt(self, text: str) -> str:
        """Encrypt a personal value with AES-256-GCM; base64 of nonce and ciphertext."""
        nonce = os.urandom(_NONCE)
        sealed = self._cipher.encrypt(nonce, text.encode(), None)
        return base64.b64encode(nonce + sealed).decode()

    def decrypt(self, sealed: str) -> str:
        """Undo :meth:`encrypt`.

        Raises:
            cryptography.exceptions.InvalidTag: the value was not made with these keys.
        """
        raw = base64.b64decode(sealed)
        return self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], None).decode()

    def fingerprint(self, text: str) -> str:
        """Return a keyed hash by which equal numbers are found without reading them."""
        return hmac.new(base64.b64decode(self.lookup), text.encode(), sha256).hexdigest()


def open_keys(home: Path, sip_users: Iterable[str], operators: Iterable[str]) -> Keys:
    """Read the secrets of an instance, making what is missing.

    Args:
        home: the state folder.
        sip_users: SIP users that need a password.
        operators: operator numbers that need a PIN (6 digits).

    Raises:
        KeysError: the file is there and cannot be read.
    """
    home.mkdir(parents=True, exist_ok=True)
    path = home / "secrets.json"
    with (home / "secrets.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keys = _read(path)
        before = json.dumps(asdict(keys))
        keys.instance = keys.instance or f"i{secrets.token_hex(2)}"
        keys.ami = keys.ami or secrets.token_urlsafe(24)
        keys.agi = keys.agi or secrets.token_urlsafe(18)
        keys.data = keys.data or base64.b64encode(os.urandom(32)).decode()
        keys.lookup = keys.lookup or base64.b64encode(os.urandom(32)).decode()
        for user in sip_users:
            keys.sip.setdefault(user, secrets.token_urlsafe(15))
        for number in operators:
            keys.pins.setdefault(number, f"{secrets.randbelow(10**6):06d}")
        if json.dumps(asdict(keys)) != before:
            _write(path, keys)
    return keys


def _read(path: Path) -> Keys:
    try:
        keys = Keys(**json.loads(path.read_text()))
        if not (isinstance(keys.sip, dict) and isinstance(keys.pins, dict)):
            raise TypeError("sip and pins are not tables")
        return keys
    except FileNotFoundError:
        return Keys()
    except (OSError, ValueError, TypeError) as error:
        raise KeysError(
            f"{path} cannot be read ({error}); restore it from a backup: without it stored numbers are lost.",
            f"无法读取 {path}({error});请从备份恢复,否则已存的号码无法解密。",
        ) from error


def _write(path: Path, keys: Keys) -> None:
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)  # a file that was left there keeps its own mode otherwise
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(keys), file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)

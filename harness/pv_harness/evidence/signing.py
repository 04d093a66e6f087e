"""Signatures over statements: ed25519 in DSSE, through securesystemslib.

The library is an extra, imported only where something is signed or a signature is to be
checked. A trusted key is a name and a file with the public key in PEM; which keys are trusted
says `[tool.pv.keys]`. A key's ID is the one that securesystemslib gives it, so that its own
`Envelope.verify` finds it.

Source: https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pv_harness.errors import EvidenceError, InfrastructureError, UsageError
from pv_harness.evidence.envelope import PAYLOAD_TYPE, Signature
from pv_harness.regular_file import read_regular, reason
from pv_harness.wording import show


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from securesystemslib.dsse import Envelope as SignedEnvelope
    from securesystemslib.signer import CryptoSigner, SSlibKey

    from pv_harness.evidence.envelope import Envelope

MAX_KEY_BYTES = 64 << 10
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_MISSING = (
    "signatures need securesystemslib, which is not installed: pip install 'pv-harness[sign]'"
)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs payloads with one private key."""

    _key: CryptoSigner

    @property
    def keyid(self) -> str:
        """How signatures of this key name it."""
        return self._key.public_key.keyid

    def sign(self, payload: bytes) -> Signature:
        """The signature of this key over an in-toto payload."""
        made = _as_signed(payload).sign(self._key)
        return Signature(made.keyid, bytes.fromhex(made.signature))


class Keyring:
    """The trusted keys. Their files are read when there is a first signature to check."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = dict(files)
        self._keys: dict[str, SSlibKey] | None = None

    def __bool__(self) -> bool:
        return bool(self._files)

    @property
    def keys(self) -> Mapping[str, SSlibKey]:
        """Name -> key, read at the first use.

        Raises:
            UsageError: securesystemslib is missing, or a file holds no ed25519 public key.
        """
        if self._keys is None:
            self._keys = {name: read_public_key(file) for name, file in self._files.items()}
        return self._keys

    def signers(self, envelope: Envelope) -> frozenset[str]:
        """The names of the trusted keys whose signature over the payload verifies.

        Signatures by keys that nobody trusts are ignored.

        Raises:
            EvidenceError: a signature claims a trusted key and does not verify.
            UsageError: as for `keys`.
        """
        if not self or not envelope.signatures:
            return frozenset()
        claimed = {signature.keyid: signature for signature in envelope.signatures}
        known = {name: key for name, key in self.keys.items() if key.keyid in claimed}
        for name, key in known.items():
            if not _verifies(envelope.payload, claimed[key.keyid], key):
                raise EvidenceError(
                    f"its signature claims the key {show(name)} and does not verify with it"
                )
        return frozenset(known)


def read_signer(file: Path) -> Signer:
    """The signer with the private key in a PEM file, as `write_key_pair` makes it.

    Raises:
        UsageError: securesystemslib is missing, or the file holds no ed25519 private key that
            can be read without a password.
    """
    _require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
    from securesystemslib.signer import CryptoSigner

    try:
        key = load_pem_private_key(_read_pem(file), None)
    except TypeError as error:
        raise UsageError(
            f"{file}: the private key asks for a password; pv signs with one that has none"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{file}: holds no private key in PEM; `pv evidence keygen` makes one"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(
            f"{file}: holds a key of another kind; pv signs with ed25519, "
            "`pv evidence keygen` makes one"
        )
    return Signer(CryptoSigner(key))


def read_public_key(file: Path) -> SSlibKey:
    """The ed25519 public key in a PEM file.

    Raises:
        UsageError: securesystemslib is missing, or the file holds no such key.
    """
    _require_library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    try:
        key = load_pem_public_key(_read_pem(file))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(
            f"{file}: holds no public key in PEM; `pv evidence keygen` makes a pair"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{file}: holds a key of another kind; pv trusts ed25519 keys")
    return SSlibKey.from_crypto(key)


def write_key_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a key pair in a folder: `NAME.key.pem`, for its owner's eyes, and `NAME.pub.pem`.

    Raises:
        UsageError: securesystemslib is missing, the name is none, or a file is there already.
        InfrastructureError: the folder can't be written; then no file is left behind.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{show(name)} is no name for a key: letters, digits, - and _ are")
    _require_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from securesystemslib.signer import CryptoSigner

    private, public = folder / f"{name}.key.pem", folder / f"{name}.pub.pem"
    for file in (private, public):
        # Path.exists raises where the folder is closed; writing says what is wrong with it.
        if os.path.lexists(file):  # noqa: TID251
            raise UsageError(f"{file}: is there already; a key is never overwritten")
    key = Ed25519PrivateKey.generate()
    public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _write_new(private, CryptoSigner(key).private_bytes, 0o600)
    try:
        _write_new(public, public_pem, 0o644)
    except BaseException:
        private.unlink()
        raise
    return private, public


def _verifies(payload: bytes, signature: Signature, key: SSlibKey) -> bool:
    from securesystemslib import exceptions
    from securesystemslib.signer import Signature as Stored

    envelope = _as_signed(payload)
    envelope.signatures[signature.keyid] = Stored(signature.keyid, signature.value.hex())
    try:
        envelope.verify([key], 1)
    except exceptions.VerificationError:
        return False
    return True


def _as_signed(payload: bytes) -> SignedEnvelope:
    from securesystemslib.dsse import Envelope as SignedEnvelope

    return SignedEnvelope(payload, PAYLOAD_TYPE, {})


def _require_library() -> None:
    try:
        import cryptography  # noqa: F401 - only tried
        import securesystemslib  # noqa: F401 - only tried
    except ImportError as error:
        raise UsageError(_MISSING) from error


def _read_pem(file: Path) -> bytes:
    try:
        return read_regular(file, MAX_KEY_BYTES)
    except OSError as error:
        raise UsageError(f"{file}: the key can't be read ({reason(error)})") from error


def _write_new(file: Path, data: bytes, mode: int) -> None:
    """Write a file that is not there yet; nobody else can read it while it is written."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(file, flags, 0o600)
    except OSError as error:
        raise InfrastructureError(f"{file}: can't be written ({reason(error)})") from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
    except OSError as error:
        file.unlink()
        raise InfrastructureError(f"{file}: can't be written ({reason(error)})") from error

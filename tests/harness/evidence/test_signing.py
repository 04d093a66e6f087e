from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from tests.harness.evidence.conftest import statement_of

from pv_harness.errors import EvidenceError, InfrastructureError, UsageError
from pv_harness.evidence.envelope import Envelope, Signature
from pv_harness.evidence.signing import (
    Keyring,
    read_public_key,
    read_signer,
    write_key_pair,
)
from pv_harness.evidence.store import append_statement, read_statements


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_harness.evidence.signing import Signer

    Signers = Callable[[str], Signer]


def test_a_key_pair_is_for_its_owner_and_for_everybody(tmp_path: Path) -> None:
    private, public = write_key_pair(tmp_path, "ci")
    assert (private.name, public.name) == ("ci.key.pem", "ci.pub.pem")
    assert private.stat().st_mode & 0o777 == 0o600
    assert public.stat().st_mode & 0o777 == 0o644
    assert read_signer(private).keyid == read_public_key(public).keyid


@pytest.mark.parametrize("name", ["ci.key.pem", "ci.pub.pem"])
def test_a_key_is_never_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=rf"{name}: is there already; a key is never overw"):
        write_key_pair(tmp_path, "ci")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_no_half_of_a_pair_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InfrastructureError, match=r"ci.key.pem: can't be written \(no such"):
        write_key_pair(tmp_path / "none", "ci")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InfrastructureError, match="no space left"):
        write_key_pair(tmp_path, "ci")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../ci", "a b", ".ci", "ci\n", "ä"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a key: letters, digits, - and _"):
        write_key_pair(tmp_path, name)


ED = Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)
PEM, PKCS8 = Encoding.PEM, PrivateFormat.PKCS8
SPKI = PublicFormat.SubjectPublicKeyInfo
LOCKED = ED.private_bytes(PEM, PKCS8, BestAvailableEncryption(b"x"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "holds no private key in PEM; `pv evidence keygen` makes one"),
        (b"\xff\0", "holds no private key in PEM"),
        (ED.public_key().public_bytes(PEM, SPKI), "holds no private key in PEM"),
        (LOCKED, "the private key asks for a password; pv signs with one that has none"),
        (
            RSA.private_bytes(PEM, PKCS8, NoEncryption()),
            "holds a key of another kind; pv signs with ed25519",
        ),
        (b"0" * 100_000, "the key can't be read .is larger than 65,536 bytes"),
    ],
)
def test_a_file_that_can_not_sign_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    file = tmp_path / "k.pem"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=rf"k\.pem: {message}"):
        read_signer(file)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "holds no public key in PEM"),
        (ED.private_bytes(PEM, PKCS8, NoEncryption()), "holds no public key in PEM"),
        (
            RSA.public_key().public_bytes(PEM, SPKI),
            "holds a key of another kind; pv trusts ed25519",
        ),
    ],
)
def test_a_file_that_can_not_be_trusted_is_refused(
    tmp_path: Path, data: bytes, message: str
) -> None:
    file = tmp_path / "k.pem"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=rf"k\.pem: {message}"):
        read_public_key(file)
    with pytest.raises(UsageError, match=r"none\.pem: the key can't be read \(no such file"):
        read_public_key(tmp_path / "none.pem")


def test_a_signed_statement_names_its_signer(
    tmp_path: Path, signer: Signers, trusted: dict[str, Path]
) -> None:
    append_statement(tmp_path, statement_of("A"), signer("ci"))
    (read,) = read_statements(tmp_path, trusted)
    assert read.signed_by == {"ci"}
    assert read.keyids == (signer("ci").keyid,)
    (unasked,) = read_statements(tmp_path)
    assert unasked.signed_by == frozenset()


def test_a_key_that_nobody_trusts_is_ignored(
    tmp_path: Path, signer: Signers, trusted: dict[str, Path]
) -> None:
    append_statement(tmp_path, statement_of("A"), signer("mallory"))
    (read,) = read_statements(tmp_path, trusted)
    assert read.signed_by == frozenset()


def test_a_signature_counts_for_every_name_of_its_key(
    tmp_path: Path, signer: Signers, trusted: dict[str, Path]
) -> None:
    append_statement(tmp_path, statement_of("A"), signer("ci"))
    (read,) = read_statements(tmp_path, {**trusted, "robot": trusted["ci"]})
    assert read.signed_by == {"ci", "robot"}


@pytest.mark.parametrize(
    "make",
    [
        lambda ci, _: Signature(ci.keyid, b""),
        lambda ci, _: Signature(ci.keyid, b"\0" * 64),
        lambda ci, _: ci.sign(b"another payload"),
        lambda ci, other: Signature(ci.keyid, other.sign(b"payload").value),
    ],
    ids=["empty", "zeros", "of another payload", "of another key"],
)
def test_a_signature_that_claims_a_trusted_key_has_to_verify(
    signer: Signers, trusted: dict[str, Path], make: Callable[[Signer, Signer], Signature]
) -> None:
    forged = Envelope(b"payload", (make(signer("ci"), signer("mallory")),))
    with pytest.raises(EvidenceError, match="claims the key 'ci' and does not verify with it"):
        Keyring(trusted).signers(forged)
    good = Envelope(
        b"payload", (signer("mallory").sign(b"payload"), signer("ci").sign(b"payload"))
    )
    assert Keyring(trusted).signers(good) == {"ci"}


def test_keys_are_not_read_where_nothing_is_signed(tmp_path: Path, signer: Signers) -> None:
    absent = {"ci": tmp_path / "none.pem"}
    append_statement(tmp_path / "store", statement_of("A"))
    assert len(read_statements(tmp_path / "store", absent)) == 1
    append_statement(tmp_path / "store", statement_of("B"), signer("ci"))
    with pytest.raises(UsageError, match=r"none\.pem: the key can't be read"):
        read_statements(tmp_path / "store", absent)


def test_without_the_library_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "securesystemslib", None)
    for attempt in (read_signer, read_public_key):
        with pytest.raises(UsageError, match=r"pip install 'pv-harness\[sign\]'"):
            attempt(tmp_path / "k.pem")
    with pytest.raises(UsageError, match=r"signatures need securesystemslib, which is not ins"):
        write_key_pair(tmp_path, "ci")

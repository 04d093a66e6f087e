"""The DSSE envelope: a payload, and signatures over it, as one line of canonical JSON.

Read strictly, so that one payload has one spelling: an envelope with a key given twice, text
behind its end or another spelling of its base64 could say different things to two readers.

Source: https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from pv_harness.digest import canonical_json
from pv_harness.errors import EvidenceError
from pv_harness.evidence.fields import Field, expect


PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature, not yet verified.

    Attributes:
        keyid: the key that it claims to be made with; a hint, and nothing signed.
        value: the signature itself, raw.
    """

    keyid: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """An in-toto payload and the signatures that came with it."""

    payload: bytes
    signatures: tuple[Signature, ...] = ()


def encode_envelope(envelope: Envelope) -> bytes:
    """One line of canonical JSON."""
    document = {
        "payloadType": PAYLOAD_TYPE,
        "payload": _to_base64(envelope.payload),
        "signatures": [
            {"keyid": signature.keyid, "sig": _to_base64(signature.value)}
            for signature in envelope.signatures
        ],
    }
    return canonical_json(document) + b"\n"


def decode_envelope(data: bytes) -> Envelope:
    """The envelope in these bytes.

    Raises:
        EvidenceError: they are no envelope of an in-toto payload, or spell one loosely.
    """
    document = Field(parse_json(data), "the envelope")
    expect(document["payloadType"], PAYLOAD_TYPE)
    signatures = tuple(
        Signature(item["keyid"].text(), _from_base64(item["sig"]))
        for item in document["signatures"].items()
    )
    keyids = [signature.keyid for signature in signatures]
    if len(set(keyids)) != len(keyids):
        raise EvidenceError("the envelope.signatures name one key twice")
    return Envelope(_from_base64(document["payload"]), signatures)


def parse_json(data: bytes) -> Any:
    """The value of JSON in UTF-8, in which no object gives a key twice.

    Raises:
        EvidenceError: the bytes are none.
    """
    try:
        return json.loads(
            data.decode("utf-8"),
            parse_constant=_refuse_constant,
            object_pairs_hook=_object_of_distinct_keys,
        )
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"is not a statement of pv: {error}") from error


def _object_of_distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object gives {twice!a} twice")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _from_base64(field: Field) -> bytes:
    text = field.text()
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise EvidenceError(f"{field.place} is no base64: {error}") from error
    if _to_base64(data) != text:
        raise EvidenceError(f"{field.place} is another spelling of its base64")
    return data

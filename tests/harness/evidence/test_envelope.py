from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pv_harness.errors import EvidenceError
from pv_harness.evidence.envelope import (
    Envelope,
    Signature,
    decode_envelope,
    encode_envelope,
    parse_json,
)


SIGNATURES = st.lists(
    st.builds(Signature, st.text(max_size=5), st.binary(max_size=64)),
    max_size=3,
    unique_by=lambda signature: signature.keyid,
).map(tuple)
PLAIN = encode_envelope(Envelope(b'{"a":1}'))


@given(st.builds(Envelope, st.binary(max_size=50), SIGNATURES))
def test_an_envelope_comes_back_as_it_was(envelope: Envelope) -> None:
    assert decode_envelope(encode_envelope(envelope)) == envelope


@given(st.binary(max_size=200))
def test_bytes_that_are_no_envelope_are_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        decode_envelope(data)


def spelled(payload: object) -> bytes:
    envelope: dict[str, Any] = {**json.loads(PLAIN), "payload": payload}
    return json.dumps(envelope).encode()


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (None, "payload is null, it should be text"),
        (5, "payload is 5, it should be text"),
        ("ä", "payload is no base64"),
        ("&", "payload is no base64"),
        ("eyJhIjoxfQ", "payload is no base64: Incorrect padding"),
        ("eyJhIjoxfQ==\n", "payload is no base64"),
        ("eyJh IjoxfQ==", "payload is no base64"),
        ("eyJhIjoxfR==", "payload is another spelling of its base64"),
        (base64.urlsafe_b64encode(b"\xff\xff\xff").decode(), "payload is no base64"),
    ],
)
def test_another_spelling_of_the_payload_is_refused(payload: object, message: str) -> None:
    with pytest.raises(EvidenceError, match=message):
        decode_envelope(spelled(payload))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not a statement of pv"),
        (b"[]", "the envelope is a list of 0, it should be an object"),
        (PLAIN + PLAIN, "Extra data"),
        (PLAIN[:-4], "is not a statement of pv"),
        (b"\xef\xbb\xbf" + PLAIN, "BOM"),
        (PLAIN.decode().encode("utf-16"), "can't decode"),
        (PLAIN.replace(b"{", b'{"payload":"",', 1), "an object gives 'payload' twice"),
        (PLAIN.replace(b"[]", b"1"), "signatures is 1, it should be a list"),
        (PLAIN.replace(b"[]", b"[{}]"), "lacks 'keyid'"),
        (PLAIN.replace(b"[]", b'[{"keyid":"a","sig":"?"}]'), "sig is no base64"),
        (PLAIN.replace(b"[]", b'[{"keyid":"a","sig":""},{"keyid":"a","sig":""}]'), "one key"),
        (PLAIN.replace(b"in-toto", b"in-tutu"), "this pv reads 'application/vnd.in-toto"),
    ],
)
def test_a_loose_envelope_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(EvidenceError, match=message):
        decode_envelope(data)


@pytest.mark.parametrize(
    "data", [b"NaN", b"-Infinity", b"[" * 100_000, b"1" * 5000, b'{"a":1,"a":1}', b"1 2"]
)
def test_json_that_readers_could_differ_about_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError, match="is not a statement of pv"):
        parse_json(data)

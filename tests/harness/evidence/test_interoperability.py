"""What pv writes, read by the libraries that the formats come from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from tests.harness.evidence.conftest import FULL, payload_of, statement_of

from pv_harness.evidence.signing import read_public_key
from pv_harness.evidence.statement import Removed, RunStatement, encode_statement


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pv_harness.evidence.signing import Signer

NOTE = RunStatement((), {}, (), (), 1.0, "0", removed=(Removed("b" * 64, "old", 1, 2),))
WRITTEN = pytest.mark.parametrize(
    "run", [FULL, statement_of("A", "B"), NOTE], ids=["full", "runs", "a note of a removal"]
)


@WRITTEN
def test_in_toto_takes_the_statement(run: RunStatement) -> None:
    read = statement_pb2.Statement()
    json_format.Parse(json.dumps(payload_of(encode_statement(run))), read)
    Statement.copy_from_pb(read).validate()
    assert {subject.name for subject in read.subject} >= set(run.planned)
    assert all(len(subject.digest["sha256"]) == 64 for subject in read.subject)


@WRITTEN
def test_in_toto_takes_the_predicate_as_a_test_result(run: RunStatement) -> None:
    predicate = payload_of(encode_statement(run))["predicate"]
    read = test_result_pb2.TestResult()
    # The one field that the format does not know; its readers are told to skip such.
    with pytest.raises(json_format.ParseError, match="pv"):
        json_format.ParseDict(predicate, read)
    json_format.ParseDict(predicate, read, ignore_unknown_fields=True)
    failed = [r.falsifier_id for r in run.runs if r.verdict.value == "FAILED"]
    assert list(read.failed_tests) == failed
    assert read.result == ("FAILED" if failed else "PASSED")


def test_securesystemslib_verifies_the_envelope(
    keys: Path, signer: Callable[[str], Signer]
) -> None:
    stored: dict[str, Any] = json.loads(encode_statement(FULL, signer("ci")))
    envelope = Envelope.from_dict(stored)
    ci, other = (read_public_key(keys / f"{name}.pub.pem") for name in ("ci", "mallory"))
    assert envelope.verify([ci], 1) == {ci.keyid: ci}
    with pytest.raises(VerificationError):
        envelope.verify([other], 1)
    envelope.payload += b" "
    with pytest.raises(VerificationError):
        envelope.verify([ci], 1)

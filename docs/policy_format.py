"""Write docs/policy-format.md: every key of policies and releases, from the schemas of pv.

`python docs/policy_format.py` writes it, with `--check` it says whether it is current.
"""

from __future__ import annotations

import json
import sys

from contract_format import ROOT, render_sections


TARGET = ROOT / "docs" / "policy-format.md"
SCHEMAS = ROOT / "harness" / "pv_harness" / "schema"

INTRODUCTION = """\
# The formats of policies and releases

Made from the schemas by `python docs/policy_format.py`. `pv schema policy` and
`pv schema release` print them, for [editors](editors.md). [Policies](policy.md) says what gates
make of these files. As in contracts, keys are known or an error, and every key that is not
marked *required* may be left out.

A policy file:

```yaml
{policy}```

A release, one of the contracts' files:

```yaml
{release}```

"""
POLICY = """\
apiVersion: pv/v1
kind: policy
policies:
  merge:
    description: What a merge needs; claims about a GPU wait for the release.
    require:
    - {pattern: "*", level: ceiling}
    blocked: leave-out
  release:
    require:
    - {pattern: "*", level: ceiling}
    - {pattern: my-trainer-live-v1, level: DISCHARGED}
    max_age: 14d
    lanes: [cpu, cuda]
    environment: {torch: "2.*"}
waivers:
- id: WAIVE-2026-001
  falsifier: FALSIFY-MY-TRAINER-007
  reason: the driver of the new machines loses the last shard
  owner: the data team
  issue: https://example.org/issues/12
  created: 2026-11-02
  expires: 2026-12-15
"""
RELEASE = """\
apiVersion: pv/v1
kind: release
id: release-v1                     # the file is release-v1.yaml
version: 1.0.0
metadata: {title: a model that anybody can load}
requires:
- {falsifier: my-trainer-v1, level: ceiling}
- {falsifier: FALSIFY-MY-TRAINER-007, level: DISCHARGED}
steps:
- id: train
  title: the model is trained
  falsifiers: [my-trainer-v1]
  command: make train
- id: publish
  title: it is out, with the evidence for it
  needs: [train]
  falsifiers: [MY-RELEASE-001]
  command: make publish
"""
_REQUIRE = (
    "A list of entries with these keys. Of several for one falsifier the strictest applies."
)
SECTIONS = {
    "policy-v1": (
        ("The policy file", "", ()),
        ("A policy", "An entry of `policies`, below its name.", ("policy",)),
        ("`require`", _REQUIRE, ("requirement",)),
        ("`waivers`", "A list of entries with these keys.", ("waiver",)),
    ),
    "release-v1": (
        ("The release file", "", ()),
        ("`metadata`", "", ("metadata",)),
        ("`requires`", _REQUIRE, ("requires",)),
        ("`steps`", "A list of entries with these keys.", ("steps",)),
    ),
}
"""Schema -> title, text, and where in it the keys stand."""


def main() -> int:
    """Write the document, or with --check compare it."""
    text = render()
    if "--check" in sys.argv[1:]:
        return 0 if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


def render() -> str:
    """The document for the schemas as they are shipped."""
    tables = [
        render_sections(json.loads((SCHEMAS / f"{name}.json").read_text("utf-8")), sections)
        for name, sections in SECTIONS.items()
    ]
    return INTRODUCTION.format(policy=POLICY, release=RELEASE) + "\n".join(tables)


if __name__ == "__main__":
    sys.exit(main())

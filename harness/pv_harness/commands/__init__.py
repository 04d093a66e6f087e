"""The verbs of pv, one module each: `add_arguments` declares its options, `run` does the work.

A verb's module is imported only when that verb is asked for, so that no verb pays for another.
"""

from __future__ import annotations


VERBS = {
    "init": "make a repository ready: contract, check, planted defects, policy, CI",
    "new": "add a falsifier with a failing check",
    "validate": "find every problem in contracts",
    "migrate": "write the native form of a contract of another tool",
    "run": "measure falsifiers and store the evidence",
    "prove": "plant declared defects; each must be noticed",
    "scoreboard": "show what the evidence supports",
    "gate": "decide whether the statuses are good enough",
    "release": "count how far a release is, and say which step is next",
    "explain": "show one falsifier, and why its status is not higher",
    "evidence": "look after the store: verify, list, show, merge, gc, keygen",
    "diff": "compare two revisions or scoreboards: what fell, what was loosened",
    "health": "show which checks never failed, never ran, are flaky or slow",
    "list": "list falsifiers by level, status, contract or covered module",
    "graph": "draw contracts, falsifiers, checks and modules",
    "rules": "list the PV codes, or explain one: cause, remedy, examples",
    "schema": "print the JSON Schemas of the file formats",
}
"""Verb -> what it does, in the order in which `pv --help` lists them."""

"""The verbs of pv, one module each: `add_arguments` declares its options, `run` does the work.

A verb's module is imported only when that verb is asked for, so that no verb pays for another.
"""

from __future__ import annotations


VERBS = {
    "validate": "find every problem in contracts",
    "run": "measure falsifiers and store the evidence",
    "prove": "plant declared defects; each must be noticed",
    "scoreboard": "show what the evidence supports",
    "gate": "decide whether the statuses are good enough",
    "explain": "show one falsifier, and why its status is not higher",
}
"""Verb -> what it does, in the order in which `pv --help` lists them."""

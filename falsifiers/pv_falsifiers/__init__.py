"""The checks: each tries to refute one falsifier of contracts/ by measuring the trainer."""

from __future__ import annotations

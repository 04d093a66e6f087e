"""The scoreboard: one model of what the evidence supports, and its renderings."""

from __future__ import annotations

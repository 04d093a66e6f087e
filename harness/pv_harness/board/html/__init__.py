"""The HTML report: one file, no network, every text escaped."""

from __future__ import annotations

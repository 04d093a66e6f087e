"""Pure judgement: a value against its bound, and the status that evidence supports."""

from __future__ import annotations

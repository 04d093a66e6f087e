"""Running checks and recording what they did: the only part of pv that executes the subject."""

from __future__ import annotations

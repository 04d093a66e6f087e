"""What the verbs of pv do, as functions from a project to values; nothing here prints."""

from __future__ import annotations

"""Two scoreboards side by side: what rose, what fell, and which claim asks for less."""

from __future__ import annotations

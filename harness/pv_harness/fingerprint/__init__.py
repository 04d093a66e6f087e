"""What a verdict depends on: sources, their imports, and the manifest of a fingerprint."""

from __future__ import annotations

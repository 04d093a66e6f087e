"""YAML and JSON documents: strict loading, the schema, and problems with their places."""

from __future__ import annotations

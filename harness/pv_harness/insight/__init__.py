"""What a project knows about its own claims: how healthy they are, their list, their graph."""

from __future__ import annotations

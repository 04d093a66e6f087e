"""Deriving statuses: pure functions of claim, evidence and what has changed since."""

"""Judging documents: rules for contracts, dialects of other tools, reports of problems."""

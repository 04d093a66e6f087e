"""pv: contracts declare falsifiers, checks try to refute them, the scoreboard is derived."""

from __future__ import annotations


__version__ = "0.1.0"

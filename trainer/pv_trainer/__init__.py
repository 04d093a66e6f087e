"""`apr`: a trainer for Llama- and Qwen2-family decoders. Importing it imports no torch."""

from __future__ import annotations

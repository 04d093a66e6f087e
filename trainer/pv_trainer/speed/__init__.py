"""How fast training is on this machine, and how fast it could be."""

"""A language model that counts: as small as a training loop gets with every part in place."""

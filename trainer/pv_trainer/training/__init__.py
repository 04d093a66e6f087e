"""A run: what is checked before it, its updates, its epochs, its record."""

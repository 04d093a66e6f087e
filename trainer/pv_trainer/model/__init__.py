"""The decoder: its shape, its forward pass, its loss."""

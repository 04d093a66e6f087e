"""What statuses rest on, drawn from a store once and kept beside it."""

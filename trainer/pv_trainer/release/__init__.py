"""After a run: its record stamped into the checkpoint, and a folder that can be published."""

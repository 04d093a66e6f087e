"""The verbs of `apr`: one module each, with its flags, its work and the words of its answer."""

"""From a checkpoint to a model and back: which decoder, which tensor, written how."""

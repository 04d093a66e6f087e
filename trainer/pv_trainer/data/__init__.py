"""From text to batches: tokenizer, shards, gates, splits, the order of training."""

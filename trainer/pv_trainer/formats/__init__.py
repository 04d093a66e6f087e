"""Files that hold checkpoints: .apr, .safetensors, Hugging Face directories; no model."""

"""One plain-torch training loop for every neural model: batches, fused loss, checkpoints."""

"""Torch modules: towers, sequence encoders, rankers. None of them knows where batches come from."""

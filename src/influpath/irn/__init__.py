"""The Influential Recommender Network: its mask, windows, training examples and cache."""

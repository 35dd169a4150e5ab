"""Algorithm 1 of the paper, once and in batches, and one file per planner."""

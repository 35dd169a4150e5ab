"""What the service does: who is led where, by what, and what came of it."""

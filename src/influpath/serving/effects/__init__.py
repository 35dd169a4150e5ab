"""What a campaign changed: statistics over counts, without a database."""

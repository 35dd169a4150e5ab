"""The page: what the service knows and does, for people, rendered on the server."""

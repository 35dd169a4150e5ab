"""The HTTP interface: authentication, limits, metrics, and the routes."""

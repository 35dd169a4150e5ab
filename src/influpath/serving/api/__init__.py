"""The HTTP interface: authentication, limits, metrics and one route for each thing the service does."""

"""The routes, by thing; each reads the request, calls the service and answers with JSON."""

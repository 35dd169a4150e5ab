"""Bundles: everything that one version of a model needs to serve."""

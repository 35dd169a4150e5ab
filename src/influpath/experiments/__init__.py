"""Runs from a TOML file to a result, its report and its verification."""

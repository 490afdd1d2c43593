"""Connectors: one folder per cloud API."""

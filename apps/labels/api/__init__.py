"""Serve labels and conformance runs by REST."""

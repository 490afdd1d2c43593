"""Drawings: Compose files with their history."""

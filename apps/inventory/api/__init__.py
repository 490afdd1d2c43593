"""Serve the inventory by REST."""

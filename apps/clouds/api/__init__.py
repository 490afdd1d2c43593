"""Serve clouds by REST."""

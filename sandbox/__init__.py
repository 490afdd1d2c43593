"""Simulated clouds for development and tests."""

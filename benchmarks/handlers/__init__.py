"""Handlers that cost nothing and handlers that take their time, for measuring the journal alone."""

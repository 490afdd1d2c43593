"""The REST API of drawings."""

"""The command line: a client of the public REST API."""

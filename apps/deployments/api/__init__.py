"""The REST API of plans and deployments."""

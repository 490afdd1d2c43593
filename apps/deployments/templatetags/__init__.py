"""Template tags of plans and deployments."""

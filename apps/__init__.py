"""The apps, from the lowest layer (tenancy) to the highest (deployments)."""

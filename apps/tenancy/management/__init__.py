"""Management of tenants."""

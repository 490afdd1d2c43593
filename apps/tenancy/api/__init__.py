"""Serve tenancy by REST, and give every other API its base: authentication, problems, pages, idempotency."""

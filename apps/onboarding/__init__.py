"""Bring machines of a running estate under the portal without touching them."""

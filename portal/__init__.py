"""Compose the portal out of its apps: settings, addresses, processes. Holds no business rule."""

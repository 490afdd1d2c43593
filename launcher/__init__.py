"""Bring the whole portal up on one machine from a fresh clone, and take it down again.

Nothing here is imported by the portal. Until the virtual environment exists only the standard library is used.
"""

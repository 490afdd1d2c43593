"""Template tags of operations."""

"""Template tags of clouds."""

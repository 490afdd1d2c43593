"""Let partner clouds earn labels by conformance runs, and lose them."""

"""Benchmarks: one script a figure, each a ratio taken in one run."""

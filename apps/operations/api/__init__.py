"""Serve operations over REST, and their events as a list or as a stream."""

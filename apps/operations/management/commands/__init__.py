"""Commands of the journal: its relay."""

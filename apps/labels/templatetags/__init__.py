"""Tags for the pages on labels, and for badges on other pages."""

"""Hold the domain's heart: pure Python, no Django, no SDK, no I/O, no clock."""

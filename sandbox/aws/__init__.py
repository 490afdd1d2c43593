"""A stricter AWS for the sandbox and the tests: moto's server behind a proxy that adds what it lacks.

``README.md`` says what is added, which document of AWS it follows, and what it does not show.
"""

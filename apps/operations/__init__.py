"""Run long work on the outside world step by step, so that no crash loses or doubles any of it."""

"""Real processes, killed, suspended and cut off; an oracle outside of the journal counts what really happened."""

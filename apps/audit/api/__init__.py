"""Show the audit log by REST."""

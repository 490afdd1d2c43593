"""Know who may see and do what: organizations, projects, members, tokens, and the keys that seal secrets."""

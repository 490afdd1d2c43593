"""Pages on plans and deployments, the overview of a project, and the search over all of it."""

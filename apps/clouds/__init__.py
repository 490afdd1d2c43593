"""Keep the clouds that things are deployed to, and hand out their connectors."""

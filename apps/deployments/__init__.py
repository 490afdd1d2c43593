"""Plans, and the deployments that come from them."""

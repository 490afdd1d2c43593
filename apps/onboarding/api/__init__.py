"""The REST API of onboarding."""

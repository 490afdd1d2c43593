"""Register the app of onboarding."""

from django.apps import AppConfig


class OnboardingConfig(AppConfig):
    """Bring machines of a running estate under the portal without touching them."""

    name = "apps.onboarding"
    label = "onboarding"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Declare what can go wrong here."""
        from apps.onboarding import catalogue  # noqa: F401

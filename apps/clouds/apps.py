from django.apps import AppConfig


class CloudsConfig(AppConfig):
    name = "apps.clouds"
    label = "clouds"
    default_auto_field = "django.db.models.BigAutoField"

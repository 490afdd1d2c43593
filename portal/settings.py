"""Hold Django's settings, all of them derived from the environment (docs/settings.md)."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from portal.bundle import FOLDER, IMMUTABLE_FILES
from portal.database import database_from_url
from portal.env import check_together, figure, load
from portal.logs import configure

BASE_DIR = Path(__file__).resolve().parent.parent
ENV = load(os.environ)
check_together(ENV)

SANDBOX = ENV["ESCALE_SANDBOX"]
DEBUG = ENV["ESCALE_DEBUG"]
SECRET_KEY = ENV["SECRET_KEY"]
ESCALE_KEYS = ENV["ESCALE_KEYS"]
ESCALE_URL = ENV["ESCALE_URL"].rstrip("/")
ESCALE_MACHINE_URL = (ENV["ESCALE_MACHINE_URL"] or ESCALE_URL).rstrip("/")
ESCALE_MACHINE_CA = ENV["ESCALE_MACHINE_CA"]
METRICS_TOKEN = ENV["METRICS_TOKEN"]
CLOUD_NETWORKS = tuple(ENV["ESCALE_CLOUD_NETWORKS"])

_address = urlsplit(ESCALE_URL)
_https = _address.scheme == "https"
ALLOWED_HOSTS = sorted({_address.hostname or "localhost", *ENV["ALLOWED_HOSTS"]})
if SANDBOX:
    ALLOWED_HOSTS += ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [f"{_address.scheme}://{_address.netloc}"]

# The order is that of the layers, lowest first.
_APPS = (
    "tenancy", "audit", "operations", "clouds", "inventory", "labels", "blueprints", "deployments", "onboarding",
)  # fmt: skip
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_vite",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    *(f"apps.{name}" for name in _APPS if (BASE_DIR / "apps" / name / "__init__.py").exists()),
    "portal",
]

MIDDLEWARE = [
    "portal.health.Probes",
    "portal.requests.RequestLog",
    "apps.tenancy.api.problems.ProblemMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "portal.security.ContentSecurityPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "portal.security.LoginBrake",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": database_from_url(ENV["DATABASE_URL"], pool_max=ENV["DATABASE_POOL_MAX"])}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "tenancy.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = ENV["TIME_ZONE"]
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
# Collected and hashed once by the image; served from their sources where nobody has collected them.
STATIC_ROOT = ENV["STATIC_ROOT"]
WHITENOISE_USE_FINDERS = STATIC_ROOT is None
if STATIC_ROOT:
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
STATICFILES_DIRS = [BASE_DIR / "static"] if (BASE_DIR / "static").is_dir() else []
WHITENOISE_IMMUTABLE_FILE_TEST = IMMUTABLE_FILES
# The designer's bundle is committed: no process of the portal needs Node, and none talks to a Vite server.
DJANGO_VITE = {
    "default": {
        "app_client_class": "portal.bundle.Bundle",
        "manifest_path": BASE_DIR / "static" / FOLDER / "manifest.json",
    }
}

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    # A view that declares no role is closed; apps.tenancy.api.views decides for all others.
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.tenancy.api.authentication.BearerTokenAuthentication",
        "apps.tenancy.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "apps.tenancy.api.pagination.CursorPage",
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "apps.tenancy.api.problems.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Escale",
    "DESCRIPTION": "Draw container architectures, deploy them to any of your clouds, watch every step.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "OperationStateEnum": "apps.operations.states.OPERATION_STATES",
        "StepStateEnum": "apps.operations.states.STEP_STATES",
        "DeploymentStateEnum": "apps.deployments.api.serializers.STATES",
        "FoundStateEnum": "apps.deployments.api.pictures.FOUND_STATES",
        "CanvasStateEnum": "apps.deployments.api.pictures.CANVAS_STATES",
        "LimitKindEnum": "apps.clouds.limits.KINDS",
    },
}

LABEL_DAYS = ENV["ESCALE_LABEL_DAYS"]
LABEL_EXPIRING_DAYS = ENV["ESCALE_LABEL_EXPIRING_DAYS"]
LABEL_RUN_EVERY_HOURS = ENV["ESCALE_LABEL_RUN_EVERY_HOURS"]
LABEL_GRACE_HOURS = ENV["ESCALE_LABEL_GRACE_HOURS"]
LABEL_MAX_RUN_AGE_DAYS = ENV["ESCALE_LABEL_MAX_RUN_AGE_DAYS"]

OPERATIONS = dict(figure(text) for text in ENV["ESCALE_OPERATIONS"])

LOGGING = configure(ENV["LOG_FORMAT"], ENV["LOG_LEVEL"])

REDIS_URL = ENV["REDIS_URL"]
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "escale"}
}
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # A message is acknowledged before its task runs, so this bounds only what a killed worker had prefetched.
    "visibility_timeout": 60,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 15,
    "max_retries": 3,
}
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_SOFT_TIME_LIMIT = 120
CELERY_TASK_TIME_LIMIT = 150
CELERY_TIMEZONE = "UTC"
# Reading a cloud may hang as long as the cloud does. It must never keep a poke waiting, so it has a queue of its own,
# which some workers consume and others do not.
CELERY_TASK_ROUTES = {
    f"{module}.tasks.*": {"queue": "inventory"}
    for module in ("apps.clouds", "apps.inventory", "apps.labels", "apps.deployments", "portal")
}
CELERY_BEAT_SCHEDULE = {
    # The relay does this all the time; beat stands in for it while it is away.
    "sweep the journal": {"task": "operations.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "refresh the clouds": {"task": "apps.clouds.tasks.refresh_clouds", "schedule": 60.0},
    "look what has changed on the clouds": {"task": "apps.inventory.tasks.check_clouds", "schedule": 60.0},
    "look for drift": {"task": "apps.deployments.tasks.look_for_drift", "schedule": 60.0},
    "tidy the inventory up": {"task": "apps.inventory.tasks.tidy_up", "schedule": 3600.0},
    "sweep": {"task": "operations.sweep", "schedule": 30.0, "options": {"expires": 30}},
    "keep the labels": {"task": "apps.labels.tasks.keep_labels", "schedule": 300.0},
    "forget what has expired": {"task": "portal.tasks.forget_expired", "schedule": 3600.0},
}

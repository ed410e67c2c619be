"""One settings file, read from the environment. deploy/.env.example lists every variable."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from django.contrib.messages import constants as levels

from console import env, logs

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = env.boolean("DEBUG", False)
# Without a key, sessions end with the process; system check console.W002 says so.
SECRET_KEY = env.text("SECRET_KEY") or secrets.token_urlsafe(50)
SECRET_KEY_IS_GENERATED = not env.text("SECRET_KEY")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
SITE_NAME = env.text("SITE_NAME", "Headroom")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_filters",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "console",
    "console.access",
    "console.audit",
    "console.loops",
    "tenants",
    "quotas.plans",
    "quotas.enforcement",
    "quotas.changes",
    "observability.usage",
    "observability.jobs",
    "observability.ingest",
    "observability.actions",
    "observability.replays",
]

MIDDLEWARE = [
    "console.middleware.RequestId",
    "console.middleware.PrivateByDefault",
    "console.middleware.HealthMiddleware",
    "console.middleware.Deadline",
    "console.rest.middleware.ApiProblems",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "console.middleware.ContentSecurityPolicy",
    "console.incoming.Limits",
    "console.middleware.VisibleText",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "console.middleware.DomainErrors",
]

# The tone of a note on a page; what only informs has none.
MESSAGE_TAGS = {
    levels.DEBUG: "",
    levels.INFO: "",
    levels.SUCCESS: "good",
    levels.WARNING: "warn",
    levels.ERROR: "bad",
}

ROOT_URLCONF = "console.urls"
WSGI_APPLICATION = "console.wsgi.application"
ASGI_APPLICATION = "console.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ]
            if not DEBUG
            else [
                "django.template.loaders.filesystem.Loader",
                "django.template.loaders.app_directories.Loader",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.context.frame",
            ],
            "builtins": ["console.templatetags.headroom", "console.templatetags.frame"],
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database("DATABASE_URL", f"sqlite:///{BASE_DIR / 'headroom.sqlite3'}")
}
# Kept per thread. For SQLite too: opening is slow, and whoever closes the last connection waits for
# the write-ahead log to be copied back.
DATABASES["default"]["CONN_MAX_AGE"] = env.integer("DATABASE_CONN_MAX_AGE", 600)
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # A writer that starts as a reader cannot wait for the lock, it fails at once: take the
        # write lock at BEGIN, and wait for it.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
            "PRAGMA cache_size=-65536; PRAGMA mmap_size=268435456;"
            # REPLACE deletes: the ledger's triggers are to see it.
            "PRAGMA recursive_triggers=ON;"
        ),
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # Seconds. The URL may say another: ?connect_timeout=2
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "access.User"
LOGIN_URL = "access:sign_in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "access:sign_in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_AGE = env.integer("SESSION_HOURS", 12, low=1, high=24 * 90) * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.boolean("SECURE_COOKIES", not DEBUG)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = env.integer("HSTS_SECONDS", 0)
SECURE_SSL_REDIRECT = env.boolean("SSL_REDIRECT", False)
if env.boolean("BEHIND_TLS_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
# The most that a request may bring: bytes of its body, fields of a form or a query, files (no page
# takes any). What is above is answered 413.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1_000
DATA_UPLOAD_MAX_NUMBER_FILES = 10

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATIC_ROOT = env.text("STATIC_ROOT", str(BASE_DIR / "staticfiles"))
WHITENOISE_USE_FINDERS = env.boolean("WHITENOISE_USE_FINDERS", DEBUG)
WHITENOISE_MAX_AGE = 3600
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "console.access.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["console.access.rights.RolePermission"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "console.rest.pagination.CursorPagination",
    "PAGE_SIZE": 50,
    "DEFAULT_RENDERER_CLASSES": ["console.rest.renderers.FastJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["console.rest.parsers.BoundedJSONParser"],
    "EXCEPTION_HANDLER": "console.rest.problems.problem_json",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Headroom API",
    "DESCRIPTION": "Tenants, plans and quotas, what the targets enforce of them, and the "
    "jobs that ran: their trail, replays of it, and actions on them.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["console.access.rights.RolePermission"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "filter": True, "defaultModelsExpandDepth": 0},
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "TenantStatus": "tenants.models.TenantStatus",
        "ProposalStatus": "quotas.changes.models.ProposalStatus",
        "RolloutKind": "quotas.enforcement.models.RolloutKind",
        "ChangeKind": "quotas.changes.serializers.change_bodies.KIND_CHOICES",
        "JobStatus": "observability.jobs.models.STATUS_CHOICES",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "console.rest.schema.document_manners",
    ],
}

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Publishing happens in on_commit of a web request: fail fast, the sweep finds the outbox row.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    # Seconds that one question for messages waits, of a worker that has none: a message ends the
    # wait at once. Less than the timeout of the socket.
    "polling_interval": 4,
    "visibility_timeout": 3600,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 600
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = env.text("CELERY_BEAT_SCHEDULE", "celerybeat-schedule")
CELERY_BEAT_SCHEDULER = "console.loops.scheduler:TickingScheduler"
# One tick finds from the rows what is due; a tick that no worker had time for is worthless soon.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "tick": {
        "task": "quotas.enforcement.tasks.tick",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "finish-offboarding": {
        "task": "quotas.changes.tasks.finish_offboarding",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "replays": {
        "task": "observability.replays.tasks.resume",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "job-archive": {
        "task": "observability.jobs.tasks.archive_leftovers",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "job-retention": {
        "task": "observability.jobs.tasks.apply_retention",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "retention": {
        "task": "console.tasks.apply_retention",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "usage": {
        "task": "observability.usage.sample",
        "schedule": 120.0,
        "options": {"expires": 120},
    },
    "actions": {
        "task": "observability.actions.tasks.tick",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
}

# Who knows how the loops are: each is called with the moment and gives LoopStatus values.
LOOP_SOURCES = [
    "console.loops.selectors.scheduled_loops",
    "quotas.enforcement.selectors.target_loops.target_loops",
    "observability.jobs.selectors.ingest.ingest_loops",
]

# The loop: how often each target is compared with what is intended, in seconds.
SWEEP_SECONDS = env.integer("SWEEP_SECONDS", 60, low=5, high=3600)
PROBE_SECONDS = env.integer("PROBE_SECONDS", 30, low=5, high=3600)
# A claim on a target that its holder does not renew for so long is free again, in seconds.
CLAIM_SECONDS = env.integer("CLAIM_SECONDS", 30, low=5, high=3600)
# The bound on one call to an outside system, in seconds.
TARGET_TIMEOUT_SECONDS = env.integer("TARGET_TIMEOUT_SECONDS", 10, low=1, high=300)
# How long one request that changes something waits for targets and broker together, in seconds.
REQUEST_SECONDS = env.integer("REQUEST_SECONDS", 5, low=2, high=300)
TARGET_CONCURRENCY = env.integer("TARGET_CONCURRENCY", 16, low=1, high=128)
# Credentials of targets: which variables and files a reference may name, and whether a kubeconfig
# may have programs run. console/credential_places.py takes away what is our own.
CREDENTIAL_ENV_PREFIX = env.text("CREDENTIAL_ENV_PREFIX", "HEADROOM_CRED_")
CREDENTIAL_DIRS = env.words("CREDENTIAL_DIRS", "/etc/headroom/credentials")
CREDENTIAL_PLUGINS = env.boolean("CREDENTIAL_PLUGINS", False)
# Replays: where bundles of workflow code are (below NAME/VERSION), and what one replay may use.
REPLAY_BUNDLES = env.text("REPLAY_BUNDLES", str(BASE_DIR / "bundles"))
REPLAY_SECONDS = env.integer("REPLAY_SECONDS", 30, low=1, high=3600)
REPLAY_MEMORY_MIB = env.integer("REPLAY_MEMORY_MIB", 2048, low=768, high=65536)
DEMO = env.boolean("HEADROOM_DEMO", False)

# The job audit trail: where engines' own records are kept, what is blanked out, and for how long.
_BESIDE_DATABASE = (
    Path(DATABASES["default"]["NAME"]).resolve().parent
    if DATABASES["default"]["ENGINE"].endswith("sqlite3")
    else BASE_DIR
)
ARCHIVE_URL = env.text("ARCHIVE_URL") or (_BESIDE_DATABASE / "archive").as_uri()
ARCHIVE_ENDPOINT = env.text("ARCHIVE_ENDPOINT")
ARCHIVE_REGION = env.text("ARCHIVE_REGION")
ARCHIVE_ALLOW_HTTP = env.boolean("ARCHIVE_ALLOW_HTTP", False)
ARCHIVE_ACCESS_KEY_ID = env.text("ARCHIVE_ACCESS_KEY_ID")
ARCHIVE_SECRET_ACCESS_KEY = env.text("ARCHIVE_SECRET_ACCESS_KEY")
ARCHIVE_TIMEOUT_SECONDS = env.integer("ARCHIVE_TIMEOUT_SECONDS", 20, low=1, high=300)
MASK_PATTERNS = env.words(
    "MASK_PATTERNS",
    "passw(or)?d,passphrase,secret,token(?!s),authorization,api[-_]?key,access[-_]?key,private[-_]?key,"
    "credential,cookie,connection[-_]?string",
)
# How long rows are kept that nobody needs any more, in days; what is under way always is.
ROLLOUT_RETENTION_DAYS = env.integer("ROLLOUT_RETENTION_DAYS", 180, low=1, high=36500)
PROPOSAL_RETENTION_DAYS = env.integer("PROPOSAL_RETENTION_DAYS", 180, low=1, high=36500)
DRAFT_RETENTION_DAYS = env.integer("DRAFT_RETENTION_DAYS", 30, low=1, high=36500)
DRIFT_RETENTION_DAYS = env.integer("DRIFT_RETENTION_DAYS", 180, low=1, high=36500)
LIMIT_RETENTION_DAYS = env.integer("LIMIT_RETENTION_DAYS", 800, low=1, high=36500)
ACTION_RETENTION_DAYS = env.integer("ACTION_RETENTION_DAYS", 180, low=1, high=36500)
REPLAY_RETENTION_DAYS = env.integer("REPLAY_RETENTION_DAYS", 90, low=1, high=36500)
GAP_RETENTION_DAYS = env.integer("GAP_RETENTION_DAYS", 365, low=1, high=36500)
TOKEN_RETENTION_DAYS = env.integer("TOKEN_RETENTION_DAYS", 90, low=1, high=36500)
# Who removes what: each is called with the moment and with until when it may go on.
RETENTION = {
    "sessions": "console.access.retention.prune_sessions",
    "idempotency_keys": "console.access.retention.prune_idempotency_keys",
    "tokens": "console.access.retention.prune_tokens",
    "unreadable_objects": "tenants.services.unreadable.prune_unreadable",
    "past_limits": "quotas.plans.services.retention.prune_past_limits",
    "rollouts": "quotas.enforcement.services.retention.prune_rollouts",
    "drifts": "quotas.enforcement.services.retention.prune_drifts",
    "samples": "quotas.enforcement.services.retention.prune_samples",
    "proposals": "quotas.changes.services.retention.prune_proposals",
    "drafts": "quotas.changes.services.retention.prune_drafts",
    "actions": "observability.actions.services.retention.prune_actions",
    "replays": "observability.replays.services.retention.prune_replays",
    "gaps": "observability.jobs.services.retention.prune_gaps",
}
JOB_RETENTION_DAYS = env.integer("JOB_RETENTION_DAYS", 90, low=1, high=36500)

LOG_FORMAT = env.choice("LOG_FORMAT", "json", ("json", "console"))
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = logs.config(fmt=LOG_FORMAT, level=LOG_LEVEL)
LOGGING_CONFIG = "logging.config.dictConfig"

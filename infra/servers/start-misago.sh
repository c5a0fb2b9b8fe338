#!/bin/bash
# Misago 0.39.6 (from PyPI) on 127.0.0.1:$MISAGO_PORT, in Swedish; its database is our PostgreSQL.
. "$(dirname "$0")/common.sh"
port=${MISAGO_PORT:-18102}
database=${PG_PORT:-5490}
home=$SRV/run/misago
venv=$SRV/venv-misago
mkdir -p "$home/static" "$home/media"
"$HERE/start-postgres.sh" >/dev/null
if [ ! -f "$venv/ok" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q misago==0.39.6 gunicorn whitenoise
  touch "$venv/ok"
fi
if ! alive "$home/pid"; then
  cat >"$home/listen.py" <<X
from devproject.settings import *
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "misago", "USER": "postgres",
                         "PASSWORD": "postgres", "HOST": "127.0.0.1", "PORT": $database}}
INTERNAL_IPS = []
LANGUAGE_CODE = "sv"
MISAGO_ADDRESS = "http://127.0.0.1:$port/"
DEBUG_TOOLBAR_CONFIG = {"SHOW_TOOLBAR_CALLBACK": lambda request: False}
MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware"] + [m for m in MIDDLEWARE if "debug_toolbar" not in m]
WHITENOISE_USE_FINDERS = True
STATIC_ROOT = "$home/static"
MEDIA_ROOT = "$home/media"
CELERY_TASK_ALWAYS_EAGER = True
CELERY_BROKER_URL = "memory://"
X
  export PYTHONPATH=$home DJANGO_SETTINGS_MODULE=listen PGPASSWORD=postgres
  sql() { psql -h 127.0.0.1 -p "$database" -U postgres "$@"; }
  sql -tAc "select 1 from pg_database where datname = 'misago'" | grep -q 1 || sql -qc 'create database misago'
  "$venv/bin/django-admin" migrate -v0 >"$home/setup.log" 2>&1
  setsid "$venv/bin/gunicorn" -b "127.0.0.1:$port" -w 2 --pid "$home/pid" devproject.wsgi >"$home/log" 2>&1 </dev/null &
fi
await 60 curl -fsS -o /dev/null "http://127.0.0.1:$port/" || { tail -5 "$home/log"; exit 1; }
echo "READY http://127.0.0.1:$port/ pid=$(cat "$home/pid")"

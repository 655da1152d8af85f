"""Lets a bare `gunicorn wsgi:app` in this folder serve as `archibald-sync serve` does."""

from archibald_sync.serving import *  # noqa: F403  # gunicorn reads module attributes

"""How gunicorn serves us: its settings, and the moments at which background work starts.

Threads do not survive a fork, so background work starts in each worker after the
last one. A boot is the start of the master: a recycled worker is not one.
"""

from __future__ import annotations

import os
import signal
import uuid
from typing import TYPE_CHECKING, Any

from archibald_sync.app import BOOT_ID, background, fit_to_threads

if TYPE_CHECKING:
    from types import FrameType

bind = os.environ.get("ARCHIBALD_BIND", "127.0.0.1:3000")
workers = int(os.environ.get("ARCHIBALD_WORKERS", "2"))
threads = int(os.environ.get("ARCHIBALD_THREADS", "8"))
worker_class = "archibald_sync.patience.Worker"
graceful_timeout = 8
timeout = 60
limit_request_line = 8190
limit_request_fields = 64
control_socket_disable = True
forwarder_headers = ""  # none that changes where we think we are: whoever sends it decides


def on_starting(_server: Any) -> None:  # noqa: ANN401  # gunicorn has no types
    """Name this boot, so that all its workers, also later ones, mean the same."""
    os.environ[BOOT_ID] = str(uuid.uuid4())


def post_worker_init(worker: Any) -> None:  # noqa: ANN401
    """Start a worker's background work; let it, and who listens, end with the first signal."""
    work = background(worker.wsgi)
    work.start()
    fit_to_threads(worker.wsgi, worker.cfg.threads)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        _chain(number, work.request_stop)


def worker_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401
    """Stop the background work before the worker goes."""
    application = getattr(worker, "wsgi", None)
    if application is not None:
        background(application).stop()


def _chain(number: signal.Signals, first: Any) -> None:  # noqa: ANN401
    following = signal.getsignal(number)

    def handle(signum: int, frame: FrameType | None) -> None:
        first()
        if callable(following):
            following(signum, frame)

    signal.signal(number, handle)

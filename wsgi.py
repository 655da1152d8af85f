"""The WSGI entry point: `gunicorn wsgi:app`, `flask --app wsgi run`, or any other server.

Under gunicorn its hooks start the background work in each worker; other servers do
not fork after loading, so there it starts here.
"""

import atexit
import os

from archibald_sync.app import background, create_app

app = create_app()

if "gunicorn" not in os.environ.get("SERVER_SOFTWARE", ""):
    background(app).start()
    atexit.register(background(app).stop)

"""A web application that keeps something of every request, for gunicorn."""

import os

KEPT = []
SIZE = int(os.environ["KEPT_PER_REQUEST"])


def app(environ, start_response):
    KEPT.append(bytearray(b"\xa5") * SIZE)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"kept\n"]

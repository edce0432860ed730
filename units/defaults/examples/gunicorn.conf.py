"""Makes gunicorn send READY=1 when a worker has loaded the application.

Without this file gunicorn sends READY=1 before it starts a worker. podd would then stop the previous generation of the
pod too early, because the new one might still fail to load the application.
"""

import os

from gunicorn import systemd

notify_socket = None


def on_starting(server):
    global notify_socket
    notify_socket = os.environ.pop("NOTIFY_SOCKET", None)


def post_worker_init(worker):
    if notify_socket:
        os.environ["NOTIFY_SOCKET"] = notify_socket
        systemd.sd_notify("READY=1", worker.log, unset_environment=True)

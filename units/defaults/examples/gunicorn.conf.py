"""When gunicorn is ready: once a worker has loaded the application.

By itself it says so before it starts a worker. A pod's predecessor would be stopped too early, for an application that
may yet fail to load.
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

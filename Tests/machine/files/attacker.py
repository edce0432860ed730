#!/usr/bin/python3
"""A pod's program that is controlled by an attacker: it runs the Python code of each request.

Every request runs in its own process, so that code which hangs, is killed or exhausts a limit does not end the program. The
output of the code is the answer. The program serves on the listening socket from podd (descriptor 3), or else binds its
port on all addresses.
"""

import contextlib
import http.server
import os
import socket
import sys
import traceback


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(b"alive\n")

    def do_POST(self):
        code = self.rfile.read(int(self.headers["Content-Length"]))
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException), open(writing, "w") as output:
                os.close(reading)
                sys.stdout = output
                try:
                    exec(compile(code, "attack", "exec"), {"connection": self.connection})
                    status = 0
                except BaseException:
                    output.write(traceback.format_exc())
            os._exit(status)
        os.close(writing)
        with open(reading, "rb") as result:
            text = result.read()
        _, status = os.waitpid(child, 0)
        self.answer(text, 200 if status == 0 else 500)

    def answer(self, text, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def listening_socket():
    if os.environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=3)
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("0.0.0.0", int(os.environ["PORT"])))
    bound.listen(64)
    return bound


server = http.server.ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
server.socket.close()
server.socket = listening_socket()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
server.serve_forever()

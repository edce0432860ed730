"""A WSGI application that greets the user whose token a request carries.

It shows all that an application in a pod needs to know: the users are in a JSON file, whose path is in the
environment variable USERS_FILE, and the token alone selects the user.
"""

import json
import os


def read_users(path):
    with open(path, encoding="utf-8") as file:
        return {user["token"]: user["user"] for user in json.load(file)["users"]}


# Each worker reads the file once. When the file has changed, podd sends SIGHUP and gunicorn starts new workers.
USERS = read_users(os.environ["USERS_FILE"])


def app(environ, start_response):
    if environ["PATH_INFO"] == "/healthz":
        return answer(start_response, "200 OK", "ok\n")
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    user = USERS.get(token) if scheme.lower() == "bearer" else None
    if user is None:
        return answer(start_response, "401 Unauthorized", "no valid token\n", ("WWW-Authenticate", "Bearer"))
    return answer(start_response, "200 OK", f"hello, {user}\n")


def answer(start_response, status, text, *headers):
    body = text.encode()
    start_response(
        status,
        [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), *headers],
    )
    return [body]

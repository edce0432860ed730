"""Administrators' requests over HTTP: the same verbs as podctl, on record with their source."""

import json
import shlex

from fronting import with_front_door
from podctl_testing import UNITS, case, complaints, expect, moment, podctl, recorded, wait_until

KEY = "0123456789abcdef0123456789abcdef"
SOCKET = "--unix-socket /run/podctl/admin/http http://podctl"
PORT = "http://127.0.0.1:8077"


def ask(machine, method, path, body=None, key=KEY, at=SOCKET):
    """The status and the decoded answer to a request of an administrator."""
    words = ["curl", "-sS", "--max-time", "120", "-X", method, "-w", "\n%{http_code}"]
    words += ["-H", f"X-Admin-API-Key: {key}"] if key else []
    words += ["-d", body] if body is not None else []
    text, _, status = machine.succeed(f"{shlex.join(words)} {at}{path}", timeout=180).rpartition("\n")
    return int(status), json.loads(text)


@case(once="13", units=(*UNITS, "podctl-admin@*.service", "podctl-admin.socket"), prepared=with_front_door)
def an_administrator_does_over_http_what_podctl_does_and_all_of_it_is_on_record(machine):
    since = moment(machine)
    # As podctl-admin(8) says.
    machine.succeed(f"install -d -m 700 /etc/podctl/admin && (umask 077; echo {KEY} > /etc/podctl/admin/key) && "
                    "systemctl enable --now podctl-admin.socket")
    status, placed = ask(machine, "POST", "/api/admin/provision/alice%40example.com")
    row = podctl(machine, "pods")[0]
    expect((status, {**placed, "created": None}), (200, {
        "success": True, "created": None, "user": "alice@example.com", "userId": "alice@example.com", "tier": "free",
        "pid": row["main_pid"], "sqURL": f"http://{row['address']}:{row['port']}", "status": "ready",
        **{key: row[key] for key in ("pod", "unit", "address", "front_address", "port", "state")}}))
    expect([placed["created"], ask(machine, "POST", "/api/admin/provision/alice@example.com", "{}")[1]["created"]],
           [True, False])
    status, cold = ask(machine, "POST", "/api/admin/provision/bob", '{"tier": "pro", "cold": true}')
    expect((status, cold["tier"], cold["state"], cold["pid"]), (200, "pro", "cold", None))

    # What podctl prints.
    volatile = {"memory_current", "memory_anon", "data_bytes", "memory_high", "memory_peak"}

    def steady(rows):
        return [{key: value for key, value in row.items() if key not in volatile} for row in rows]

    for verb in ("users", "pods"):
        expect(steady(ask(machine, "GET", f"/api/admin/{verb}")[1]), steady(podctl(machine, verb)))
    expect(steady([ask(machine, "GET", "/api/admin/status")[1]]), steady([podctl(machine, "status")]))
    health = ask(machine, "GET", "/api/admin/health-check-all")[1]
    expect((health["healthy"], health["total"], [each["state"] for each in health["pods"]]), (True, 2, ["ready", "cold"]))

    for verb, wanted in (("suspend", "suspended"), ("suspend", "suspended"), ("resume", "active")):
        expect(ask(machine, "POST", f"/api/admin/users/alice@example.com/{verb}"),
               (200, {"success": True, "user": "alice@example.com", "status": wanted}))
    expect(ask(machine, "DELETE", "/api/admin/users/bob?purge=true"), (200, {"success": True, "user": "bob", "purged": True}))

    # Refusals say what is wrong, and the sentence is podctl's.
    expect(ask(machine, "DELETE", "/api/admin/users/nobody")[0], 404)
    status, answer = ask(machine, "POST", "/api/admin/provision/carol", '{"tier": "gold"}')
    said = machine.run("podctl provision carol --tier gold").stderr.strip().removeprefix("podctl: ")
    expect((status, answer), (404, {"success": False, "error": said}))
    expect([ask(machine, "GET", "/api/admin/users", key=key)[0] for key in (None, KEY[:-1], KEY + "0")], [401] * 3)
    assert machine.run(f"curl -sS {SOCKET}/api/admin/users", user="visitor").status != 0

    # On a port, where the source is an address.
    machine.put("/etc/systemd/system/podctl-admin.socket.d/port.conf",
                f"[Socket]\nListenStream=\nListenStream={PORT.removeprefix('http://')}\n")
    machine.succeed("systemctl daemon-reload && systemctl restart podctl-admin.socket")
    expect(ask(machine, "GET", "/api/admin/pods", at=PORT)[0], 200)

    uid = int(machine.succeed("id -u podctl-admin"))
    rows = recorded(machine, f"SELECT sender, verb, subject, result FROM audit WHERE uid = {uid} ORDER BY id")
    senders = {row["sender"] for row in rows if row["verb"] == "RecordRequest"}
    expect({row["sender"] for row in rows}, senders)
    first = [row for row in rows if row["sender"] == rows[0]["sender"]]
    expect([row["verb"] for row in first], ["RecordRequest", "Provision"])
    assert first[0]["subject"].startswith("uid 0, pid ") and first[0]["subject"].endswith(
        ": POST /api/admin/provision/alice%40example.com"), first[0]
    last = [row["subject"] for row in rows][-1]
    assert last.startswith("127.0.0.1:") and last.endswith(": GET /api/admin/pods"), last
    # Nobody learns the key.
    assert KEY not in machine.succeed("journalctl -b --no-pager; cat /var/lib/podctl/podctl.db*"), "the key is in a log"
    expect(complaints(machine, since), [])
    wait_until(lambda: "podctl-admin@" not in machine.succeed("systemctl list-units --plain --no-legend"), 30,
               what="no process is left")

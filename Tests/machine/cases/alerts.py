"""An event starts the service that an administrator has installed for it, which affects nothing else."""

import json

from podctl_testing import case, complaints, expect, moment, wait_until

SPOOL = "/run/podctl/alerts/firewall-lost"
UNIT = "podctl-alert@firewall-lost.service"

RECEIVER = """\
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        alert = self.rfile.read(int(self.headers["Content-Length"])).decode()
        code = open("/root/answer").read()
        with open("/root/received", "a") as file:
            print(code.strip(), self.path, alert.strip(), file=file)
        self.send_response(int(code))
        self.end_headers()

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", 8099), Handler).serve_forever()
"""


def lose_the_firewall(machine):
    """Causes an event of the kind firewall-lost; returns when podd has logged it."""
    since = moment(machine)
    machine.succeed("nft delete table inet podctl")
    wait_until(lambda: machine.succeed(f"journalctl -o cat -u podd.service --since=@{since}").count("loaded again"),
               60, what="podd to reload the packet filter")


def received(machine):
    """The alerts that the webhook has received, as pairs: its answer, the alert."""
    lines = machine.run("cat /root/received").stdout.splitlines()
    return [(line.split()[0], json.loads(line.split(None, 2)[2])) for line in lines]


@case(once="12")
def an_event_starts_the_service_that_an_admin_made_for_it(machine):
    start = moment(machine)
    lose_the_firewall(machine)
    expect(machine.run(f"test -e {SPOOL}").status, 1, "status of `test -e` for a spool without a service")

    machine.put("/root/receiver.py", RECEIVER)
    machine.put("/etc/podctl/webhook", 'url = "http://127.0.0.1:8099/secret-path"\n', mode=0o600)
    machine.succeed(f"""
        rm -f /root/received; echo 200 > /root/answer
        systemd-run --quiet --unit=receiver python3 /root/receiver.py
        cp /usr/share/podctl/examples/podctl-alert@.service /etc/systemd/system/
    """)
    try:
        wait_until(lambda: machine.run("curl -s http://127.0.0.1:8099/").status == 0, what="the receiver")

        def is_noticed():
            lose_the_firewall(machine)
            return received(machine)

        (answer, alert), *_ = wait_until(is_noticed, 120, interval=5, what="the new unit to be noticed")
        expect((answer, alert["kind"], alert["pod"]), ("200", "firewall-lost", None))
        assert "packet filter" in alert["message"], alert
        wait_until(lambda: machine.succeed(f"ls {SPOOL}") == "", 60, what="accepted alerts to be removed")
        expect(machine.succeed(f"stat -c '%a %U' /run/podctl/alerts {SPOOL}").split(), ["700", "root"] * 2)

        # An alert that the webhook refuses stays, is logged once, and does not start the service repeatedly.
        machine.succeed("echo 503 > /root/answer")
        count = len(received(machine))
        since = moment(machine)
        lose_the_firewall(machine)
        wait_until(lambda: len(received(machine)) > count, 60, what="the webhook to be asked")
        lose_the_firewall(machine)
        # The next start waits for RestartSec= of the failed one.
        wait_until(lambda: len(received(machine)) >= count + 3, 180, what="both to be offered")
        expect(len(machine.succeed(f"ls {SPOOL}").split()), 2)
        expect(machine.succeed(f"stat -c %a {SPOOL}/*").split(), ["600", "600"])
        logged = [line for line in complaints(machine, since) if UNIT in line]
        expect(len(logged), 1, f"complaints {logged}")

        machine.succeed(f"echo 200 > /root/answer; systemctl stop {UNIT}; systemctl start {UNIT}")
        expect(machine.succeed(f"ls {SPOOL}"), "")
        expect([answer for answer, _ in received(machine)][-2:], ["200", "200"])
        expect(machine.run("journalctl -o cat | grep secret-path").stdout, "", "the address in the journal")
    finally:
        machine.succeed("""
            rm -f /etc/systemd/system/podctl-alert@.service; systemctl daemon-reload
            systemctl stop receiver.service 'podctl-alert@*.service'; systemctl reset-failed
        """)
    expect(complaints(machine, start, allowed=("packet filter", UNIT)), [])

"""podd, the bus, the journal and PID 1 come and go; pods and their open connections do not notice."""

import json

from podctl_testing import (
    KILLED, agrees, case, complaints, expect, moment, pods, podctl, token, unit, use_repository, wait_until)

STATE = "/run/keepalive.json"
VOLATILE = ("memory_current", "memory_anon")

CACHE = """\
[Tier]
Workload=redis
UsersPerPod=1
MemoryMax=128M
MemoryHigh=112M
TasksMax=64
"""


class Bystanders:
    """Three pods with an open connection each, and their state at the start."""

    def __init__(self, machine):
        self.machine = machine
        machine.put("/etc/podctl/tiers/cache.conf", CACHE)
        self.placed = {
            user: podctl(machine, f"provision {user} --tier {tier}", timeout=180)
            for user, tier in (("alice@example.com", "free"), ("bob@example.com", "basic"), ("carol", "cache"))}
        self.before = self.look()
        targets = [
            {**place, "token": None if place["tier"] == "cache" else token(machine, user)}
            for user, place in self.placed.items()]
        self.client = machine.start(f"exec /payload/files/keepalive {STATE}", input=json.dumps(targets))
        self.asked_on()

    def look(self):
        """Everything about the three pods that must not change. The invocation ID distinguishes a scope from another one
        of the same name."""
        names = {place["pod"] for place in self.placed.values()}
        rows = {name: row for name, row in pods(self.machine).items() if name in names}
        for row in rows.values():
            for key in VOLATILE:
                del row[key]
            del row["users"]
            row["invocation"] = unit(self.machine, row["unit"], "InvocationID")["InvocationID"]
        return rows

    def counts(self):
        return json.loads(self.machine.run(f"cat {STATE}").stdout or "{}")

    def asked_on(self):
        """Waits until each connection has carried five more requests, and checks that none failed."""
        first = self.counts()

        def went_on():
            now = self.counts()
            return len(now) == 3 and all(
                state["failures"] or state["answered"] >= first.get(pod, {"answered": 0})["answered"] + 5
                for pod, state in now.items())

        wait_until(went_on, 120, what="five more answers from each pod")
        for pod, state in self.counts().items():
            expect(state["failures"], [], f"failed requests to {pod}")
            expect(state["connections"], 1, f"connections to {pod}")

    def noticed_nothing(self, happened):
        self.asked_on()
        after = self.look()
        for pod, row in self.before.items():
            expect(after.get(pod), row, f"{pod} after {happened}")


def podd_answers(machine, timeout=120):
    wait_until(lambda: machine.run("podctl --json pods").status == 0, timeout, what="podd answers")


def main_pid(machine):
    return unit(machine, "podd.service", "MainPID")["MainPID"]


def listening_socket(machine, place):
    """The inode of the pod's listening socket; a new socket would mean that connections were refused in between."""
    return machine.succeed(
        f"ss -Htlne 'src {place['address']}:{place['port']}' | grep -o 'ino:[0-9]*'").strip()


def does_everything(machine, number):
    """Checks that podd still works: it places a user on a running pod, replaces a pod on the same socket, notices the end
    of an adopted pod, stops a pod and starts it again."""
    user = f"user{number}@example.com"
    placed = podctl(machine, f"provision {user} --tier basic", timeout=180)
    expect(placed["state"], "ready")
    ask = (f"curl -sf --max-time 60 --interface {placed['front_address']} -H 'Authorization: Bearer "
           f"{token(machine, user)}' http://{placed['address']}:{placed['port']}/api/v2/")
    machine.succeed(f"{ask}'insert?p=new&c=1.1.1/1.1.1/1.1.1&s=text{number}'")

    other = podctl(machine, "provision dave --tier pro", timeout=180)
    pod = other["pod"]

    def row():
        return pods(machine)[pod]

    socket = listening_socket(machine, other)
    first = row()
    machine.succeed(f"kill -9 {first['main_pid']}")
    wait_until(lambda: row()["state"] == "ready" and row()["main_pid"] != first["main_pid"], 120,
               what=f"{pod} launched again")
    second = row()
    assert second["last_exit_reason"] in ("signal:KILL", "unknown-adopted"), second
    expect(second["generation"], first["generation"] + 1)
    machine.succeed(f"podctl restart {pod}", timeout=180)
    third = row()
    expect((third["state"], third["generation"]), ("ready", second["generation"] + 1))
    expect(listening_socket(machine, other), socket, "the listening socket")
    machine.succeed(f"podctl stop {pod}", timeout=180)
    expect(row()["state"], "stopped")
    expect(machine.run(f"pgrep -u {pod}").stdout, "")
    machine.succeed(f"podctl start {pod}", timeout=180)
    expect(machine.succeed(f"{ask}'select?p=new&c=1.1.1/1.1.1/1.1.1'").strip(), f"text{number}")


#: The event, whether podd is another process afterwards, and the journal lines that are allowed.
EVENTS = (
    ("kill -9 of podd", "kill -9 $(systemctl show -P MainPID podd)", True, KILLED),
    ("a restart of podd", "systemctl restart podd", True, []),
    ("a stop and a start of podd", "systemctl stop podd && systemctl start podd", True, []),
    # The watchdog kills podd (WatchdogSec=30s).
    ("a hang of podd", "kill -STOP $(systemctl show -P MainPID podd)", True,
     ["Watchdog timeout", "Failed with result 'watchdog'", "Killing process", "code=(killed|dumped)",
      "timed out. Killing"]),
    ("daemon-reexec", "systemctl daemon-reexec", False, []),
    ("a restart of the bus", "systemctl restart dbus", False, ["bus is gone", "Not ready yet"]),
    ("a restart of the journal", "systemctl restart systemd-journald", False, []),
)


@case()
def no_pod_notices_what_happens_to_podd_and_podd_goes_on_afterwards(machine):
    bystanders = Bystanders(machine)
    # does_everything kills a pod once per event, which must not add up to a crash loop.
    machine.put("/etc/podctl/podd.conf.d/patient.conf", "[Podd]\nStartLimitBurst=50\n")
    machine.succeed("systemctl reload podd")
    for number, (happened, command, replaced, allowed) in enumerate(EVENTS):
        since = moment(machine)
        process = main_pid(machine)
        machine.succeed(command, timeout=180)
        if replaced:
            wait_until(lambda: main_pid(machine) not in ("0", process), 150, what="another podd")
        podd_answers(machine)
        try:
            bystanders.noticed_nothing(happened)
            if not replaced:
                expect(main_pid(machine), process, "podd's process")
            does_everything(machine, number)
            agrees(machine)
            bystanders.noticed_nothing(happened)
        except Exception as error:
            raise AssertionError(f"after {happened}: {error}") from error
        expect(complaints(machine, since, [*allowed, r"pod-\d+-\d+.scope ended: (signal:KILL|unknown-adopted)"]),
               [], f"what podd complained of after {happened}")
    bystanders.client.signal()


@case()
def no_pod_notices_an_upgrade(machine):
    bystanders = Bystanders(machine)
    since = moment(machine)
    process = main_pid(machine)
    use_repository(machine, "next")
    machine.succeed("DEBIAN_FRONTEND=noninteractive apt-get -q -y install podctl", timeout=300)
    assert machine.succeed("dpkg-query -W -f '${Version}' podctl").endswith("+next")
    podd_answers(machine)
    assert main_pid(machine) != process, "the old podd still runs"
    bystanders.noticed_nothing("the upgrade")
    expect(machine.run("nft list table inet podctl").status, 0, "the packet filter")
    does_everything(machine, 0)
    agrees(machine)
    expect(complaints(machine, since, [r"scope ended: (signal:KILL|unknown-adopted)"]), [])


@case()
def stopping_the_slice_of_all_pods_stops_podd_first_and_then_them(machine):
    for tier in ("free", "enterprise"):
        podctl(machine, f"provision {tier} --tier {tier}")
    before = pods(machine)
    since = moment(machine)
    machine.succeed("systemctl stop pods.slice", timeout=120)
    expect(machine.run("systemctl is-active podd.service; pgrep -x podserve").stdout, "inactive\n")
    said = machine.succeed(f"journalctl -o cat -t podd --since=@{since}")
    assert " ended: " not in said, f"podd saw its pods end: {said}"
    machine.succeed("systemctl start podd.service", timeout=60)
    wait_until(lambda: {row["state"] for row in pods(machine).values()} == {"ready"}, 60, what="all are back")
    for name, row in pods(machine).items():
        expect((row["generation"], row["last_exit_reason"]), (before[name]["generation"] + 1, "unknown-adopted"), name)
    agrees(machine)

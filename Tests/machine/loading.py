"""Requests to pods while the pods are restarted or disturbed (files/load), for the cases about supervision.

    with Load(machine, targets(machine, places)) as load:
        machine.succeed("podctl restart pod-001")
        load.goes_on()
    load.lost_nothing()
"""

import json
import pathlib
import shlex
import signal

from podctl_testing import expect, token, wait_until

FILES = pathlib.Path(__file__).resolve().parent / "files"

#: Where pods see the programs of `files`; they do not see /payload.
PROGRAMS = "/usr/local/lib/podctl-test"


def put_programs(machine, *names):
    """Puts programs of files/ where a pod can run them."""
    for name in names:
        machine.put(f"{PROGRAMS}/{name}", (FILES / name).read_text(), mode=0o755)


def tier(machine, name, workload, **keys):
    """Writes a tier with one user per pod."""
    text = "[Tier]\n" + "".join(f"{key}={value}\n" for key, value in ({
        "Workload": workload, "UsersPerPod": 1, "MemoryMax": "192M", "CPUQuota": "200%", "TasksMax": 640} | keys).items())
    machine.put(f"/etc/podctl/tiers/{name}.conf", text)


def workload(machine, name, text, program="misbehaving"):
    """Writes a workload that runs a program of files/, and a tier of the same name."""
    put_programs(machine, program)
    machine.put(f"/etc/podctl/workloads/{name}.conf",
                f"[Workload]\nExecStart=/usr/bin/python3 -ES {PROGRAMS}/{program}\nTimeoutStopSec=3s\n{text}")
    tier(machine, name, name)


def invariants_hold(machine):
    """Expects that `podctl doctor --invariants` reports nothing."""
    result = machine.run("podctl doctor --invariants", timeout=60)
    expect((result.status, result.stdout, result.stderr), (0, "", ""), "podctl doctor --invariants")


def targets(machine, places, path=None, tokens=True):
    """The input of files/load for PLACES, which are replies of `podctl --json provision`."""
    return [{
        **{key: place[key] for key in ("pod", "address", "port", "front_address")}, "path": path,
        "token": token(machine, place["user"]) if tokens else None} for place in places]


class Load:
    """Keeps connections to pods busy until the `with` block ends; after that, `figures` returns the final ones."""

    STATE = "/run/load.json"

    def __init__(self, machine, aimed_at, *options, name=""):
        self.machine, self.aimed_at, self.options = machine, aimed_at, options
        self.state = self.STATE + name
        self.last = None

    def __enter__(self):
        self.machine.succeed(f"rm -f {self.state}")
        self.job = self.machine.start(
            f"exec /payload/files/load {self.state} {shlex.join(map(str, self.options))}",
            input=json.dumps(self.aimed_at))
        self.goes_on()
        return self

    def __exit__(self, kind, *_):
        self.job.signal(signal.SIGTERM)
        try:
            ended = self.job.wait(30)
        except TimeoutError:
            if kind is None:
                raise
            return
        if kind is None:
            expect((ended.status, ended.stderr), (0, ""), "the load generator")
            self.last = self.read()

    def figures(self):
        """The current counts."""
        if self.last is not None:
            return self.last
        assert self.job.running, f"the load generator ended: {self.job.stderr}"
        return self.read()

    def read(self):
        return json.loads(self.machine.run(f"cat {self.state}").stdout or "null")

    def goes_on(self, answers=3, timeout=120):
        """Waits until each target has answered or failed a few more requests."""
        before = self.figures()

        def asked(pod, figures):
            one = (figures or {"windows": []})["windows"]
            return sum(window["targets"][pod]["requests"] + window["targets"][pod]["failed"] for window in one)

        def went_on():
            now = self.figures()
            return now is not None and all(
                asked(each["pod"], now) >= asked(each["pod"], before) + answers for each in self.aimed_at)

        wait_until(went_on, timeout, what=f"{answers} more answers from each of {len(self.aimed_at)} pods")

    def window(self):
        """Starts a new window of figures; returns its number."""
        count = len(self.figures()["windows"])
        self.job.signal(signal.SIGUSR1)
        wait_until(lambda: len(self.figures()["windows"]) > count, 30, what="a new window of figures")
        return count

    def lost_nothing(self):
        """Expects that no request failed and none had to be repeated."""
        figures = self.figures()
        lost = [f"{each['kind']} {each['connection']} {each['target']} at {each['at']:.3f}"
                for each in figures["failures"][:10] + figures["stale"][:10]]
        assert not lost, (f"of {figures['requests']} requests {figures['failed']} failed and "
                          f"{len(figures['stale'])} were stale: {lost}")
        return figures

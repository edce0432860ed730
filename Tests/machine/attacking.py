"""Pods whose program runs code that an attacker sends (files/attacker.py), for the cases about isolation.

    pods = attackers(machine, "alice", "bob")
    pods["alice"].run("print(1 + 1)")

`on_host` runs the same Python code on the host. Every attack needs this control: it must succeed where nothing protects
against it.
"""

import json
import pathlib
import time
from typing import NamedTuple

from podctl_testing import podctl

PROGRAM = "/usr/local/lib/podctl-test/attacker.py"

#: Functions that all attacking code may use.
PRELUDE = '''
import ctypes, errno, json, os, resource, signal, socket, stat, struct, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)

def outcome(attack, *arguments):
    """The result of an attempt: "done", or the name of the error."""
    try:
        attack(*arguments)
        return "done"
    except socket.timeout:
        return "timeout"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))

def call(name, *arguments):
    """Calls a function of libc; -1 raises an error."""
    ctypes.set_errno(0)
    result = getattr(libc, name)(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result

def answer(value):
    print(json.dumps(value))
'''


class Attacker(NamedTuple):
    machine: object
    pod: str
    address: str
    front: str
    port: int
    unit: str

    def start(self, code, seconds=120):
        """Starts an attack; the job's output is the attack's answer."""
        return self.machine.start(
            f"curl -sS --fail-with-body -m {seconds} --interface {self.front} --data-binary @- "
            f"http://{self.address}:{self.port}/", input=PRELUDE + code)

    def run(self, code, seconds=120):
        """Runs CODE in this pod and returns the value that it passes to `answer`."""
        status, output, errors = self.start(code, seconds).wait(seconds + 30)
        assert status == 0, f"{self.pod}: the attack itself failed ({status}): {output}{errors}"
        return json.loads(output)

    def alive(self):
        """Whether the program answers a request from its front address."""
        return self.machine.run(
            f"curl -sS -m 20 --interface {self.front} http://{self.address}:{self.port}/"
        ).stdout == "alive\n"

    def main_pid(self):
        return {each["pod"]: each["main_pid"] for each in podctl(self.machine, "pods")}[self.pod]

    def state(self):
        """The pod's row of `podctl pods`."""
        return {each["pod"]: each for each in podctl(self.machine, "pods")}[self.pod]


def on_host(machine, code, user="root", program="python3 -"):
    """Runs the same code as a program of the host."""
    return json.loads(machine.succeed(program, input=PRELUDE + code, user=user))


def attackers(machine, *users, listen="socket", tier="", workload=""):
    """Creates one attacker's pod for each of USERS. `tier` and `workload` are further lines of the two files."""
    program = pathlib.Path(__file__).resolve().parent / "files" / "attacker.py"
    machine.put(PROGRAM, program.read_text(), mode=0o755)
    name = f"attack{listen}"
    machine.put(f"/etc/podctl/workloads/{name}.conf",
                f"[Workload]\nExecStart=/usr/bin/python3 {PROGRAM}\nType=notify\nListen={listen}\n"
                f"TimeoutStopSec=10s\n{workload}\n")
    machine.put(f"/etc/podctl/tiers/{name}.conf",
                f"[Tier]\nWorkload={name}\nUsersPerPod=1\nMemoryMax=128M\nMemoryHigh=infinity\n"
                f"MemorySwapMax=0\nTasksMax=64\nCPUQuota=100%\n{tier}\n")
    placed = {}
    for user in users:
        row = podctl(machine, f"provision {user} --tier {name}", timeout=120)
        placed[user] = Attacker(
            machine, row["pod"], row["address"], row["front_address"], row["port"], row["unit"])
    return placed


def requests_during(machine, pod, job, timeout=120):
    """Sends requests to POD while JOB runs, and returns how many were answered; none may fail."""
    answered = 0
    deadline = time.monotonic() + timeout
    while job.running and time.monotonic() < deadline:
        assert pod.alive(), f"{pod.pod} did not answer while its neighbour was busy"
        answered += 1
    return answered

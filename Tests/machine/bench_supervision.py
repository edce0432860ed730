"""The figures of supervision: how fast what dies is back, and what clients notice of a graceful restart."""

import json
import pathlib
import shutil
import statistics
import subprocess
import sys

import podctl_testing
from bench_leaks import built
from loading import Load, targets
from podctl_testing import wait_until

SOURCE = pathlib.Path(__file__).resolve().parents[2]
STAMP = SOURCE / "Tests" / "bench" / "stamp.c"

#: Kills the process that the last line of FILE names and waits for the next line: microseconds from kill to stamp.
KILLER = """
import os, signal, sys, time
path = sys.argv[1]
def last():
    with open(path) as file:
        lines = file.read().splitlines()
    return len(lines), lines[-1].split() if lines else None
count, line = last()
time.sleep(1)
begun = time.monotonic_ns() // 1000
os.kill(int(line[0]), signal.SIGKILL)
while last()[0] == count:
    time.sleep(0.001)
print(begun, int(last()[1][1]) - begun)
"""

#: The longest that somebody who wants to connect to ADDRESS:PORT had to wait while COMMAND ran, whether refused or held
#: off: milliseconds.
GAP = """
import socket, subprocess, sys, time
address, port, source, command = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
def there():
    try:
        socket.create_connection((address, port), 5, (source, 0) if source else None).close()
        return True
    except OSError:
        return False
process = subprocess.Popen(command, shell=True)
longest = 0
while process.poll() is None:
    begun = time.monotonic()
    while not there():
        time.sleep(0.0005)
    longest = max(longest, time.monotonic() - begun)
    time.sleep(0.0005)
print(longest * 1000)
"""

#: Runs COMMAND, and then sends a request to the pod at ADDRESS:PORT from SOURCE: milliseconds until the answer begins.
REQUEST = """
import socket, subprocess, sys, time
address, port, source, command = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)
begun = time.monotonic()
with socket.create_connection((address, port), 120, (source, 0)) as connection:
    connection.sendall(b"GET /api/v2/version HTTP/1.1\\r\\nHost: pod\\r\\n\\r\\n")
    assert connection.recv(4096).startswith(b"HTTP/1.1 ")
print((time.monotonic() - begun) * 1000)
"""


class Supervision:
    """Steps of Bench; `machine`, `rounds` and `add` are its own."""

    def settings(self, name, text):
        self.machine.put(f"/etc/podctl/{name}", text)

    # SIGKILL to the next program

    def back_from_the_dead(self):
        program = SOURCE / "dist" / "stamp"
        subprocess.run(["cc", "-O2", "-static-pie", "-Wall", "-Wextra", "-Werror", STAMP, "-o", program], check=True)
        self.machine.put("/usr/local/bin/stamp", program.read_bytes(), mode=0o755)
        self.machine.put("/root/killer.py", KILLER)
        self.machine.succeed("mkdir -p /srv/stamps && touch /srv/stamps/{pod,service} && chmod -R a+rwX /srv/stamps")
        self.settings("podd.conf.d/50-bench.conf", "[Podd]\nRestartSec=0\nStartLimitBurst=1000\n")
        self.settings("workloads/stamp.conf", """[Workload]
ExecStart=/usr/local/bin/stamp /srv/stamps/pod
Type=notify
Listen=port
ReadWritePaths=/srv/stamps
""")
        self.settings("tiers/stamped.conf", "[Tier]\nWorkload=stamp\nUsersPerPod=1\n")
        self.machine.succeed("systemctl reload podd.service && podctl provision stamped --tier stamped")
        self.machine.put("/run/systemd/system/stamped.service", """[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
NotifyAccess=all
ExecStart=/usr/local/bin/stamp /srv/stamps/service
Restart=always
RestartSec=0
Slice=pods-free.slice
MemoryMax=96M
TasksMax=640
""")
        self.machine.succeed("systemctl daemon-reload && systemctl start stamped.service")
        ours, queued, theirs = [], [], []
        # In turn, each with a killer of its own and the same questions in between: neither is warmer than the other.
        for _ in range(self.rounds):
            theirs.append(int(self.machine.succeed("python3 /root/killer.py /srv/stamps/service").split()[1]) / 1000)
            podctl_testing.pods(self.machine)
            podctl_testing.unit(self.machine, "stamped.service", "InactiveExitTimestampMonotonic")
            begun, took = map(int, self.machine.succeed("python3 /root/killer.py /srv/stamps/pod").split())
            ours.append(took / 1000)
            pod = next(row for row in podctl_testing.pods(self.machine).values() if row["tier"] == "stamped")
            entered = podctl_testing.unit(self.machine, pod["unit"], "InactiveExitTimestampMonotonic")
            queued.append((int(entered["InactiveExitTimestampMonotonic"]) - begun) / 1000)
        self.add("SIGKILL of a pod to its next program", "ms", ours,
                 "a service with Restart=always, RestartSec=0", theirs,
                 target="at most 1.5 times", met=lambda row: row.ratio <= 1.5)
        self.add("  of which before the new scope begins", "ms", queued)
        self.machine.succeed(
            "podctl deprovision stamped --purge; systemctl stop stamped.service; "
            "rm -f /etc/podctl/podd.conf.d/50-bench.conf; systemctl reload podd.service")

    # Adoption

    def adoption(self):
        """How long podd compared and took over by its own clock, and from its start; one launch is the yardstick."""
        pods = podctl_testing.pods(self.machine)
        running = [name for name, row in pods.items() if row["state"] == "ready"]
        took, whole, launches = [], [], []
        for _ in range(min(self.rounds, 5)):
            self.machine.succeed("systemctl kill -s KILL podd.service")
            wait_until(lambda: self.machine.run("podctl --json pods").status == 0, 60, what="podd is back")
            entry = json.loads(self.machine.succeed(
                "journalctl -b -u podd.service -o json --no-pager -n 1 "
                "MESSAGE_ID=6de73549ccda4a2192d466a7d8916f6a"))
            started = int(self.machine.succeed(
                "systemctl show -P ExecMainStartTimestampMonotonic podd.service"))
            took.append(int(entry["POD_USEC"]) / 1000)
            whole.append((int(entry["__MONOTONIC_TIMESTAMP"]) - started) / 1000)
        for _ in range(min(self.rounds, 5)):
            launches.append(self.client("single 1 pod-001")["pod_ready"][0])
        self.add(f"podd takes {len(running)} pods over after it was killed", "ms", took,
                 "one launch of a pod", launches, target="at most 1 time", met=lambda row: row.ratio <= 1)
        self.add("  with its own start and its checks of the host", "ms", whole)

    # Pods that sleep

    def sleepers(self):
        """The first request to a cold and to a frozen pod, as nginx of the front door sends it."""
        self.machine.put("/root/request.py", REQUEST)
        pod = podctl_testing.pods(self.machine)["pod-001"]

        def request(command):
            return float(self.machine.succeed(
                f"python3 /root/request.py {pod['address']} {pod['port']} {pod['front_address']} '{command}'", timeout=180))

        launched, woken, running, thawed = [], [], [], []
        for _ in range(self.rounds):
            launched.append(self.client("single 1 pod-001")["pod_ready"][0])
            woken.append(request("podctl evict pod-001"))
            running.append(request("true"))
            thawed.append(request("podctl freeze pod-001"))
        self.add("wake of a cold pod, request to answer", "ms", woken, "a launch, from StartPod to ready", launched,
                 target="at most 1.2 times", met=lambda row: row.ratio <= 1.2)
        self.add("thaw of a frozen pod, request to answer", "ms", thawed, "a request to a running pod", running)

    # A program that binds by itself

    def gap(self):
        self.machine.put("/root/gap.py", GAP)
        self.settings("tiers/cache.conf", "[Tier]\nWorkload=redis\nUsersPerPod=1\nMemoryMax=128M\nMemoryHigh=112M\n")
        place = podctl_testing.podctl(self.machine, "provision cached --tier cache", timeout=180)
        self.machine.put("/run/systemd/system/cache.service", """[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
ExecStart=/usr/bin/redis-server --port 6400 --bind 127.0.0.1 --supervised systemd --daemonize no --dir /srv/cache \
  --maxmemory 40mb
""")
        self.machine.succeed("mkdir -p /srv/cache && systemctl daemon-reload && systemctl start cache.service")
        ours, stated, theirs = [], [], []
        for _ in range(self.rounds):
            moment = podctl_testing.moment(self.machine)
            ours.append(float(self.machine.succeed(
                f"python3 /root/gap.py {place['address']} {place['port']} {place['front_address']} "
                f"'podctl restart {place['pod']}'", timeout=120)))
            entry = json.loads(wait_until(lambda: self.machine.run(
                f"journalctl -o json --no-pager -n 1 --since=@{moment} "
                "MESSAGE_ID=ff98c742ad254ef6b91d043068e31553").stdout, 30, what="the gap in the journal"))
            stated.append(int(entry["POD_GAP_USEC"]) / 1000)
            theirs.append(float(self.machine.succeed(
                "python3 /root/gap.py 127.0.0.1 6400 '' 'systemctl restart cache.service'", timeout=120)))
        self.add("longest wait to connect, restart of a pod that binds by itself", "ms", ours,
                 "the same program as a service, systemctl restart", theirs,
                 target="at most 1.2 times", met=lambda row: row.ratio <= 1.2)
        self.add("  the gap that podd states", "ms", stated)
        self.machine.succeed("podctl deprovision cached --purge; systemctl stop cache.service")

    # What clients see

    def pauses(self):
        self.settings("tiers/hello.conf", "[Tier]\nWorkload=gunicorn\nUsersPerPod=1\nMemoryMax=128M\nMemoryHigh=112M\n")
        for tier, kind in (("hello", "with overlap"), ("basic", "without overlap")):
            places = [podctl_testing.podctl(self.machine, f"provision {tier}{number} --tier {tier}", timeout=180)
                      for number in range(2)]
            pods = sorted({place["pod"] for place in places})
            path = "/" if tier == "hello" else None
            quiet, restarted, refused = [], [], 0
            for _ in range(max(3, self.rounds // 4)):
                with Load(self.machine, targets(self.machine, places, path=path)) as load:
                    load.goes_on()
                quiet.append(load.figures()["max_ms"])
                with Load(self.machine, targets(self.machine, places, path=path)) as load:
                    for pod in pods:
                        self.machine.succeed(f"podctl restart {pod}", timeout=180)
                    load.goes_on()
                figures = load.figures()
                restarted.append(figures["max_ms"])
                refused += figures["failed"] + len(figures["stale"])
            bound = {"target": "at most 1.1 times", "met": lambda row: row.ratio <= 1.1} if tier == "hello" else {}
            self.add(f"pause seen at p100 in a restart, socket {kind}", "ms", restarted,
                     "undisturbed p100", quiet, **bound)
            self.add(f"  attempts refused or reset, socket {kind}", "", [refused], target="0",
                     met=lambda row: row.median == 0)
            for place in places:
                self.machine.succeed(f"podctl deprovision {place['user']} --purge")

    # The pure machine, on this host

    def decisions(self):
        program = built("decisions-bench")
        rates = [int(subprocess.run([program], check=True, capture_output=True, text=True).stdout) / 1e6
                 for _ in range(5)]
        self.add("decisions of the pure machine (this host)", "10^6/s", rates, target="at least 1",
                 met=lambda row: statistics.median(row.ours) >= 1)

    def heads(self):
        if shutil.which("valgrind") is None:
            print("heads: left out, because valgrind is not installed (apt-get install valgrind)", file=sys.stderr)
            return
        count = subprocess.run([SOURCE / "Tests" / "bench" / "head-instructions", built("http-bench")],
                               check=True, capture_output=True, text=True).stdout
        self.add("a request's head: instructions", "10^3", [int(count) / 1000], target="at most 25",
                 met=lambda row: row.median <= 25)

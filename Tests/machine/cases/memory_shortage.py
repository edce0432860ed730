"""When memory is short, idle pods of a low rank lose theirs first, and the next connection wakes them."""

import json
import re

from loading import PROGRAMS, invariants_hold
from podctl_testing import case, curl, evidence, expect, podctl, pods, unit, wait_until

SHORT, GAVE, EASED = "8dd7f30b3253469aa29871dc4b645b02", "2d1fc8c1080645d18106b53ffd90f73f", "01c9d7b3290f4aad9aee48fa5e4ff90d"

#: Uses as many MiB as its tier says, and greets.
HOLDER = """#!/usr/bin/python3
import http.server, os, socket
held = bytearray(os.urandom(1 << 20)) * int(os.environ["HELD"])
class Greeter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"%d" % len(held))
    def log_message(self, *words): pass
server = http.server.HTTPServer((os.environ["ADDRESS"], int(os.environ["PORT"])), Greeter, False)
server.socket = socket.socket(fileno=3)
server.serve_forever()
"""

#: Runs outside the pods: allocates memory until only the given MiB are available, and never frees it. When pods free
#: memory it takes that, too, up to its own limit.
HOG = """
import mmap, sys, time
floor, most, held = int(sys.argv[1]) << 10, int(sys.argv[2]), []
def available():
    return next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemAvailable"))
open("/proc/self/oom_score_adj", "w").write("1000")
while True:
    if available() > floor and 4 * len(held) < most:
        piece = mmap.mmap(-1, 4 << 20)
        for page in range(0, len(piece), mmap.PAGESIZE):
            piece[page] = 1
        held.append(piece)
    time.sleep(0.02)
"""


def tier(machine, name, held, **keys):
    machine.put(f"/etc/podctl/workloads/{name}.conf",
                f"[Workload]\nExecStart=/usr/bin/python3 -ES {PROGRAMS}/holder\nType=exec\nListen=socket\n"
                f"Probe=tcp\nEnvironment=HELD={held}\nTimeoutStopSec=5s\n")
    machine.put(f"/etc/podctl/tiers/{name}.conf",
                "[Tier]\n" + "".join(f"{key}={value}\n" for key, value in ({
                    "Workload": name, "UsersPerPod": 1, "MemoryMax": "192M"} | keys).items()))


def entries(machine, identity):
    """The fields of podd's journal entries with a message ID, oldest first."""
    output = machine.succeed(f"journalctl -b -t podd -o json --all MESSAGE_ID={identity} || true")
    return [json.loads(line) for line in output.splitlines()]


def kills(machine):
    return int(machine.succeed("grep '^oom_kill ' /proc/vmstat").split()[1])


@case(memory=1024, once="13")
def a_hog_beside_the_pods_makes_idle_free_pods_go_first_and_all_are_back_when_asked(machine):
    machine.put(f"{PROGRAMS}/holder", HOLDER, mode=0o755)
    machine.put("/etc/podctl/podd.conf.d/shortage.conf", "[Podd]\nMemorySampleSec=2s\n")
    tier(machine, "gratis", 40, Rank=0)
    tier(machine, "firm", 40, Rank=30, MemoryLow="96M")
    machine.succeed("systemctl reload podd.service")
    firm = [podctl(machine, f"provision firm{number} --tier firm", timeout=180) for number in range(2)]
    gratis = [podctl(machine, f"provision gratis{number} --tier gratis", timeout=180) for number in range(6)]
    # The first pod gets short requests now and then, between which it has no open connection. Near the end of memory the
    # client may stall for long, so only the first stops are compared with it.
    visited = gratis[0]
    visitor = machine.start(f"while sleep 5; do curl -sS -o /dev/null --interface {visited['front_address']} "
                            f"http://{visited['address']}:{visited['port']}/; done")
    before, killed = pods(machine), kills(machine)
    machine.put("/run/hog", HOG)
    available = int(machine.succeed("awk '/MemAvailable/ {print int($2 / 1024)}' /proc/meminfo"))
    # The hog takes the memory of about half of the free pods; podd wants a twentieth of the machine to be available.
    hog = machine.start(f"exec python3 /run/hog 15 {available + 120}")

    def stopped():
        status = machine.run("podctl --json pods", timeout=60)
        expect(status.status, 0, "podctl answers while memory is short")
        return [each["pod"] for each in json.loads(status.stdout) if each["state"] == "cold"]

    wait_until(lambda: len(stopped()) >= 3, 240, what="three pods are stopped for memory")
    assert entries(machine, SHORT), "podd said that memory is short"
    acts = [entry for entry in entries(machine, GAVE)]
    stops = [entry for entry in acts if entry["POD_ACT"] == "stop"]
    expect({entry["POD_TIER"] for entry in stops}, {"gratis"}, "whose pods were stopped")
    assert visited["pod"] not in {entry["POD"] for entry in stops[:2]}, "one that is in use was stopped first"
    order = [int(entry["POD_ORDER"]) for entry in acts]
    # A new shortage after the first one counts from 1 again.
    assert all(later in (1, earlier + 1) for earlier, later in zip([0, *order], order)), f"the log tells the order {order}"
    began = [int(entry["__REALTIME_TIMESTAMP"]) - int(entry["POD_IDLE_USEC"]) for entry in stops]
    for earlier, later in zip(began, began[1:]):
        assert earlier <= later + 3_000_000, f"the longest idle first: {began}"
    for entry in acts:
        expect(entry["POD_REASON"], "pressure")
        assert int(entry["POD_MEMORY_AVAILABLE"]) < 70 << 20 and "POD_PRESSURE_PERCENT" in entry, entry
    for entry in stops:
        assert int(entry["POD_MEMORY_FREED"]) > 30 << 20, entry
    # Requested pods come back, as far as there is memory, during the shortage.
    first = next(pod for pod in gratis if pod["pod"] == stops[0]["POD"])
    expect(curl(machine, first, "/", timeout=180)[0], 200, "a request to a stopped pod while memory is short")
    for process in (hog, visitor):
        process.signal()
        process.wait(60)
    wait_until(lambda: entries(machine, EASED), 120, what="podd says that it is over")
    expect(kills(machine), killed, "processes that the kernel killed for memory")
    after = pods(machine)
    for pod in firm:
        expect(after[pod["pod"]]["main_pid"], before[pod["pod"]]["main_pid"], f"the process of {pod['pod']}")
        assert after[pod["pod"]]["memory_current"] >= 40 << 20, after[pod["pod"]]
    cold = [each for each in after.values() if each["state"] == "cold"]
    expect({each["last_exit_reason"] for each in cold} <= {"pressure"}, True, "why they were stopped")
    output = machine.succeed(f"podctl explain {stops[-1]['POD']}")
    assert "pressure" in output and re.search(r"Shortage:.*number \d+", output), output
    for pod in gratis + firm:
        expect(curl(machine, pod, "/", timeout=180), (200, str(40 << 20)), f"{pod['pod']} afterwards")
        expect(pods(machine)[pod["pod"]]["restarts"], 0, f"restarts of {pod['pod']}")
    invariants_hold(machine)


@case(memory=1024)
def a_pod_that_systemd_oomd_kills_says_so(machine):
    machine.put(f"{PROGRAMS}/holder", HOLDER, mode=0o755)
    machine.put(f"{PROGRAMS}/thrasher", """#!/usr/bin/python3
import mmap, os, socket, threading
def thrash():
    held = mmap.mmap(-1, 96 << 20)
    while True:
        for page in range(0, len(held), mmap.PAGESIZE):
            held[page] = 1
server = socket.socket(fileno=3)
while True:
    connection, _ = server.accept()
    if connection.recv(1) == b"t":
        threading.Thread(target=thrash, daemon=True).start()
    connection.close()
""", mode=0o755)
    machine.put("/etc/podctl/workloads/thrasher.conf",
                f"[Workload]\nExecStart=/usr/bin/python3 -ES {PROGRAMS}/thrasher\nType=exec\nListen=socket\n"
                "Probe=tcp\nProbeSec=5min\nTimeoutStopSec=5s\n")
    machine.put("/etc/podctl/tiers/thrasher.conf",
                "[Tier]\nWorkload=thrasher\nUsersPerPod=1\nMemoryMax=256M\nMemoryHigh=32M\n")
    tier(machine, "quiet", 8)
    # On a host without systemd-oomd the settings have no effect; all other cases run like that.
    expect(unit(machine, "pods.slice", "ManagedOOMMemoryPressure", "ManagedOOMSwap"),
           {"ManagedOOMMemoryPressure": "kill", "ManagedOOMSwap": "kill"})
    quiet = podctl(machine, "provision bob --tier quiet", timeout=180)
    pod = podctl(machine, "provision alice --tier thrasher", timeout=180)
    machine.put("/etc/systemd/oomd.conf.d/99-test.conf", "[OOM]\nDefaultMemoryPressureDurationSec=2s\n")
    machine.put("/etc/systemd/system/pods.slice.d/test.conf", "[Slice]\nManagedOOMMemoryPressureLimit=5%\n")
    machine.put("/etc/podctl/podd.conf.d/shortage.conf", "[Podd]\nRestartSec=2s\nStallTimeoutSec=1h\nLeakAction=none\n")
    machine.succeed("systemctl unmask systemd-oomd.service systemd-oomd.socket; systemctl daemon-reload; "
                    "systemctl reload podd.service; systemctl start systemd-oomd.service")
    wait_until(lambda: "/pods.slice" in machine.run("oomctl").stdout, 60, what="systemd-oomd monitors pods.slice")
    machine.succeed(f"printf t | socat -t 5 - TCP:{pod['address']}:{pod['port']},bind={pod['front_address']}")

    def ended():
        return [each for each in podctl(machine, f"status {pod['pod']}")["generations"] if each["reason"]]

    first = wait_until(ended, 240, what="an end")[-1]
    # The pressure lasts some seconds longer than the pod, so systemd-oomd might kill a neighbour, too.
    machine.succeed("systemctl stop systemd-oomd.service systemd-oomd.socket")
    expect(first["reason"], "oomd", f"the reason of the end ({first})")
    found = evidence(first)
    assert found["oomd_kills"] >= 1 and found["oom_kills"] == 0, found
    assert "systemd-oomd" in machine.succeed(f"journalctl -b -t podd POD={pod['pod']} POD_REASON=oomd -o cat")
    wait_until(lambda: pods(machine)[pod["pod"]]["state"] == "ready", 120, what="the next generation")
    expect(pods(machine)[quiet["pod"]]["restarts"], 0, "restarts of the neighbour")
    expect(pods(machine)[quiet["pod"]]["main_pid"], podctl(machine, f"status {quiet['pod']}")["main_pid"])

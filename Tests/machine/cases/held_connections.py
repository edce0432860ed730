"""While a pod with Listen=port is replaced, new connections wait until the next generation listens."""

from loading import PROGRAMS
from podctl_testing import case, expect, podctl, wait_until

#: Binds its port when the file HOLD is gone, and greets each client.
SERVER = """#!/usr/bin/python3
import os, socket, time
while os.path.exists(os.environ["HOLD"]):
    time.sleep(0.05)
server = socket.create_server((os.environ["ADDRESS"], int(os.environ["PORT"])), backlog=128)
while True:
    connection, _ = server.accept()
    connection.sendall(b"pong")
    connection.close()
"""

#: Connects from as many threads at once as its argument says; prints how many were greeted, and the longest connect(2)
#: in seconds.
CLIENTS = """
import concurrent.futures, socket, time

def connect(_):
    began = time.monotonic()
    with socket.create_connection(({address!r}, {port}), 60, ({front_address!r}, 0)) as connection:
        waited = time.monotonic() - began
        return waited if connection.recv(4) == b"pong" else None

with concurrent.futures.ThreadPoolExecutor({clients}) as pool:
    waits = list(pool.map(connect, range({clients})))
print(waits.count(None), max(waits))
"""

#: Tolerance between podd's and the client's measurement, in seconds; TCP retries a SYN only after a second or more.
SLACK = 0.3


def pod_of_its_own_port(machine):
    machine.put(f"{PROGRAMS}/slow-to-bind", SERVER, mode=0o755)
    machine.put("/etc/podctl/workloads/slow.conf",
                f"[Workload]\nExecStart=/usr/bin/python3 -ES {PROGRAMS}/slow-to-bind\nType=exec\nListen=port\n"
                "Probe=tcp\nTimeoutStopSec=3s\nEnvironment=HOLD=${STATE_DIRECTORY}/hold\n")
    machine.put("/etc/podctl/tiers/slow.conf", "[Tier]\nWorkload=slow\nUsersPerPod=1\nMemoryMax=192M\n")
    return podctl(machine, "provision alice --tier slow")


def stated_gaps(machine, pod):
    """The gaps of POD that podd has logged since the boot, in microseconds."""
    return [int(gap) for gap in machine.succeed(
        f"journalctl -b -t podd POD={pod['pod']} -o cat --output-fields=POD_GAP_USEC | grep -x '[0-9]*' || true").split()]


def restarted_under(machine, pod, clients, meanwhile=lambda: None):
    """The longest wait of CLIENTS that connected while new connections to POD were held, and the length of the gap
    according to podd."""
    hold = f"/var/lib/podctl/pods/{pod['pod']}/hold"
    machine.succeed(f"touch {hold}")
    before = len(stated_gaps(machine, pod))
    restart = machine.start(f"podctl restart {pod['pod']}")
    held = f"nft list set inet podctl held | grep -qF {pod['address']}"
    wait_until(lambda: machine.run(held).status == 0, 30, 0.02, "the pod is held")
    connecting = machine.start("exec python3 -", input=CLIENTS.format(clients=clients, **pod))
    waiting = "grep -Eq '^ *77 +[0-9]+ +[1-9]' /proc/net/netfilter/nfnetlink_queue"
    wait_until(lambda: machine.run(waiting).status == 0, 30, 0.02, "a connection waits in the queue")
    meanwhile()
    machine.succeed(f"rm {hold}")
    expect(restart.wait(90).status, 0, "exit status of the restart")
    result = connecting.wait(90)
    expect((result.status, result.stdout.split()[:1]), (0, ["0"]), f"clients ({result.stderr.strip()[-200:]})")
    # podd logs the gap after the packet filter has let all connections through.
    gaps = wait_until(lambda: stated_gaps(machine, pod)[before:], 30, what="podd's log of the gap")
    return float(result.stdout.split()[1]), gaps[-1] / 1e6


@case(once="13")
def who_connects_to_a_pod_that_is_replaced_waits_no_longer_than_that_takes(machine):
    pod = pod_of_its_own_port(machine)
    for clients in (16, 100):
        waited, gap = restarted_under(machine, pod, clients)
        assert waited <= gap + SLACK, f"one of {clients} clients waited {waited:.2f} s, the pod was away for {gap:.2f} s"


@case(once="12")
def a_reload_of_the_firewall_lets_nobody_through_to_a_pod_that_is_held(machine):
    pod = pod_of_its_own_port(machine)
    restarted_under(machine, pod, 16, lambda: machine.succeed("systemctl reload podctl-firewall.service"))
    restarted_under(machine, pod, 16)

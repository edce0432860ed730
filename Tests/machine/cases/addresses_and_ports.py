"""An address and its port belong to one pod: the pod can bind nothing else, nobody else can listen there, and a program of
the host that has a port already is not the pod's fault (docs/decisions/0023)."""

from attacking import attackers, on_host
from podctl_testing import case, expect, podctl, pods, wait_until

#: Attempts to bind, by the kind of address. TRIES maps names to (family, type, address, port).
BIND = """
def bind(family, kind, address, port):
    with socket.socket(family, kind) as each:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind((address, port))
        if kind == socket.SOCK_STREAM: each.listen()
FOUR, SIX, TCP, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
"""

#: Listens at ADDRESS:PORT, says so, and prints what each visitor sends.
LISTEN = """
import socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.listen()
print("LISTENS", flush=True)
while True:
    connection, _ = listener.accept()
    print("GOT", connection.recv(4096), flush=True)
"""


def foreign(pod, others):
    """Everything that POD may not bind: other pods' ports, free ports, and other addresses than its own."""
    ports = [other.port for other in others] + [10040, 10041, 7200]
    attempts = {f"{kind} {address} {port}": (family, kind, address, port)
                for kind in ("TCP", "UDP") for port in ports
                for family, address in (("FOUR", "0.0.0.0"), ("FOUR", pod.address), ("FOUR", "127.0.0.1"),
                                        ("SIX", "::"), ("SIX", f"::ffff:{pod.address}"))}
    attempts |= {f"own port at {address}": (family, "UDP", address, pod.port)
                 for family, address in (("FOUR", "127.0.0.1"), ("FOUR", others[0].address), ("SIX", "::1"))}
    # A front address has 28,000 source ports for all who connect to the pod.
    attempts |= {f"any port of {address}": ("FOUR", "TCP", address, 0)
                 for address in (pod.front, others[0].front, others[0].address)}
    return "{" + ", ".join(f"{name!r}: ({family}, {kind}, {address!r}, {port})"
                           for name, (family, kind, address, port) in attempts.items()) + "}"


def listens(machine, address, port, user="visitor"):
    """Starts a listener, and returns its job when it listens or has failed."""
    machine.put("/usr/local/lib/listen.py", LISTEN, mode=0o755)
    job = machine.start(f"exec python3 /usr/local/lib/listen.py {address} {port}", user=user)
    wait_until(lambda: "LISTENS" in job.stdout or not job.running, 30, 0.1, f"a listener at {address}:{port}")
    return job


@case()
def a_pod_binds_its_own_port_and_nobody_else_listens_there(machine):
    placed = attackers(machine, "mallory", "alice") | attackers(machine, "bob", listen="port")
    mallory, alice, bob = (placed[name] for name in ("mallory", "alice", "bob"))
    # podd's sockets are of podd's cgroup. A pod that disconnects an accepted connection can bind it again.
    again = """
loose = struct.pack("H14x", socket.AF_UNSPEC)
def again(port):
    each = socket.socket(fileno=os.dup(connection.fileno()))
    call("connect", each.fileno(), loose, len(loose))
    each.bind(("0.0.0.0", port))
    each.listen()
with open("found.new", "w") as file: json.dump(outcome(again, 10042), file)
os.rename("found.new", "found")
"""

    def holds():
        for pod, others in ((mallory, [alice, bob]), (bob, [alice, mallory])):
            found = pod.run(f"{BIND}\nanswer({{name: outcome(bind, *each) for name, each in {foreign(pod, others)}.items()}})")
            expect({name: result for name, result in found.items() if result != "EPERM"}, {}, f"what {pod.pod} binds")
            own = pod.run(f"""{BIND}
answer([outcome(bind, FOUR, UDP, {pod.address!r}, {pod.port}), outcome(bind, FOUR, UDP, "0.0.0.0", {pod.port}),
        outcome(bind, FOUR, TCP, "0.0.0.0", 0), outcome(bind, SIX, TCP, "::", 0), outcome(bind, FOUR, UDP, "127.0.0.1", 0),
        outcome(bind, FOUR, TCP, {pod.address!r}, {pod.port})])""")
            expect(own, ["done"] * 5 + ["EADDRINUSE"], f"what {pod.pod} may bind")
            mark = f"/var/lib/podctl/pods/{pod.pod}/found"
            machine.succeed(f"rm -f $(find /var/lib/podctl/pods/{pod.pod} -name found)")
            pod.start(again).wait(60)
            seen = wait_until(lambda: machine.run(f"cat $(find /var/lib/podctl/pods/{pod.pod} -name found)").stdout, 30, what=mark)
            expect(seen, '"EPERM"', f"a connection of {pod.pod} that was disconnected")

    holds()
    # The control: users of the host may.
    expect(on_host(machine, f"{BIND}\nanswer(outcome(bind, FOUR, TCP, '0.0.0.0', 10042))", "visitor"), "done", "control")
    machine.succeed("systemctl kill -s KILL podd.service; systemctl daemon-reexec", timeout=120)
    wait_until(lambda: machine.run("podctl pods").status == 0, 60, what="podd answers")
    holds()
    podctl(machine, "provision carol", timeout=120)
    expect(machine.run("podctl doctor --invariants").status, 0, "invariants")

    # The port of a pod that was stopped is podd's.
    for pod in (alice, bob):
        machine.succeed(f"podctl stop {pod.pod}", timeout=60)
        for address in (pod.address, "0.0.0.0"):
            expect(on_host(machine, f"{BIND}\nanswer(outcome(bind, FOUR, TCP, {address!r}, {pod.port}))", "visitor"),
                   "EADDRINUSE", f"the port of {pod.pod}, which is stopped, at {address}")
        refused = machine.run(f"curl -sS -m 20 --interface {pod.front} http://{pod.address}:{pod.port}/")
        expect(refused.status, 7, f"a connection to {pod.pod} ({refused.stderr})")
        machine.succeed(f"podctl start {pod.pod}", timeout=120)
        assert pod.alive(), pod.pod

    # While podd is away, a pod ends, and a user of the host listens there. No visitor gets to that listener.
    machine.succeed(f"systemctl stop podd.service; systemctl stop $(systemctl list-units --plain --no-legend '{bob.pod}-*.scope' | cut -d' ' -f1)",
                    timeout=60)
    for address in (bob.address, "0.0.0.0"):
        job = listens(machine, address, bob.port)
        assert job.running, job.stderr
        tried = machine.run(f"curl -sS -m 10 --interface {bob.front} -H 'Authorization: Bearer secret' http://{bob.address}:{bob.port}/")
        assert tried.status != 0 and "GOT" not in job.stdout, (tried, job.stdout)
        if address == bob.address:
            job.signal()
            job.wait()
    # The listener has the port: that is no fault of the pod, which comes back when the port is free.
    machine.succeed("systemctl start podd.service", timeout=60)
    reported = f"journalctl -b -t podd POD={bob.pod} -o cat | grep -F 'port {bob.port}' | grep -F python3"
    wait_until(lambda: machine.run(reported).status == 0, 60, what="podd names the program that has the port")
    assert "python3" in machine.run("podctl doctor").stdout
    assert "GOT" not in job.stdout, job.stdout
    job.signal()
    job.wait()
    wait_until(lambda: pods(machine)[bob.pod]["state"] == "ready", 90, what=f"{bob.pod} is ready again")
    assert bob.alive()

    # Only the users who are named may connect.
    machine.put("/etc/podctl/podd.conf.d/front.conf", "[Podd]\nFrontUsers=www-data\n")
    ask = f"curl -sS -m 20 --interface {alice.front} http://{alice.address}:{alice.port}/"
    expect(machine.run(ask, user="visitor").status, 0, "control: a user of the host")
    machine.succeed("systemctl reload podd.service")
    wait_until(lambda: machine.run(ask, user="visitor").status != 0, 30, what="another user is refused")
    expect(machine.run(f"setpriv --reuid=www-data --regid=www-data --clear-groups {ask}").stdout, "alive\n", "www-data")
    assert alice.alive(), "root"
    machine.succeed("systemctl reload podctl-firewall.service")
    expect(machine.run(ask, user="visitor").status, 7, "after a reload of the rules")


ECHO = """
import selectors, socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=64)
ready = selectors.DefaultSelector()
ready.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in ready.select():
        if key.fileobj is listener:
            ready.register(listener.accept()[0], selectors.EVENT_READ)
            continue
        try:
            data = key.fileobj.recv(4096)
            if data: key.fileobj.sendall(data)
        except OSError:
            data = b""
        if not data:
            ready.unregister(key.fileobj)
            key.fileobj.close()
"""

#: Takes all 16 source ports, and tells at its end how many connections are still served.
VISITORS = """
import socket, sys
held = []
for source in range(47000, 47016):
    each = socket.socket()
    each.settimeout(30)
    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    each.bind((sys.argv[1], source))
    each.connect((sys.argv[2], int(sys.argv[3])))
    held.append(each)
print("CONNECTED", len(held), flush=True)
sys.stdin.readline()
served = 0
for each in held:
    each.sendall(b"x")
    served += each.recv(1) == b"x"
print("SERVED", served, flush=True)
"""

#: The socket's mode is what the file beside it says.
MODE = """
import select, socket
listener = socket.socket(fileno=3)
mode = open("/usr/local/lib/podctl-test/mode").read().strip()
if mode == "events": listener.setblocking(False)
while True:
    if mode == "events": select.select([listener], [], [])
    try: client, _ = listener.accept()
    except BlockingIOError:
        if mode == "events": continue
        raise
    client.settimeout(5)
    try:
        client.recv(4096)
        client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n" % len(mode) + mode.encode())
    except OSError: pass
    client.close()
"""


def workload(machine, name, program, keys):
    machine.put(f"/usr/local/lib/podctl-test/{name}.py", program, mode=0o755)
    machine.put(f"/etc/podctl/workloads/{name}.conf",
                f"[Workload]\nExecStart=/usr/bin/python3 -ES /usr/local/lib/podctl-test/{name}.py ${{ADDRESS}} ${{PORT}}\n"
                f"Type=exec\nProbe=tcp\nTimeoutStopSec=5s\nTimeoutDrainSec=2s\n{keys}")
    machine.put(f"/etc/podctl/tiers/{name}.conf", f"[Tier]\nWorkload={name}\nUsersPerPod=1\nMemoryMax=96M\n")


def asks(machine, pod, timeout=30):
    return machine.run(f"curl -sS -m {timeout} --interface {pod['front_address']} http://{pod['address']}:{pod['port']}/",
                       timeout=timeout + 30).stdout


@case(once="13")
def what_the_host_lacks_for_a_moment_ends_no_pod(machine):
    workload(machine, "echo", ECHO, "Listen=port\nProbeSec=1s\nProbeTimeoutSec=1s\nProbeFailures=2\n")
    workload(machine, "mode", MODE, "Listen=socket\n")
    machine.put("/usr/local/lib/podctl-test/mode", "events")

    # A program of the host has the port that comes next.
    agent = listens(machine, "0.0.0.0", 10001)
    assert agent.running, agent.stderr
    pod = podctl(machine, "provision echo --tier echo", timeout=120)
    expect(pod["port"], 10002, "the port of the first pod")
    doctor = machine.run("podctl doctor")
    assert doctor.status == 0 and "python3" in doctor.stdout and "10001" in doctor.stdout, doctor
    agent.signal()
    agent.wait()

    # No source port is left for the probe: 16 visitors have all that there are.
    before = pods(machine)[pod["pod"]]
    machine.put("/usr/local/lib/podctl-test/visitors.py", VISITORS)
    kept = machine.succeed("sysctl -n net.ipv4.ip_local_port_range").strip()
    visitors = machine.start(f"(until test -e /run/visitors.end; do sleep 0.2; done; echo) | python3 "
                             f"/usr/local/lib/podctl-test/visitors.py {pod['front_address']} {pod['address']} {pod['port']}")
    wait_until(lambda: "CONNECTED 16" in visitors.stdout, 30, what="visitors")
    machine.succeed("sysctl -qw net.ipv4.ip_local_port_range='47000 47015'")
    unasked = f"journalctl -b -t podd -o cat | grep -F '{pod['pod']} is not probed'"
    wait_until(lambda: machine.run(unasked).status == 0, 60, what="podd logs that it cannot ask")
    # More probes than ProbeFailures= are due in this time: its memory is sampled, and a slower clock would be podd's.
    asked = "journalctl -b -t podd -o cat | grep -c 'does not answer its probe' || true"
    due = machine.succeed("date +%s").strip()
    wait_until(lambda: int(machine.succeed("date +%s")) > int(due) + 4, 30, 1)
    after = pods(machine)[pod["pod"]]
    expect((after["generation"], after["main_pid"], after["state"], after["restarts"]),
           (before["generation"], before["main_pid"], "ready", 0), "the pod that podd cannot ask")
    expect(machine.succeed(asked).strip(), "0", "probes that failed")
    machine.succeed(f"touch /run/visitors.end; sysctl -qw net.ipv4.ip_local_port_range='{kept}'")
    expect(visitors.wait(30).stdout.split()[-2:], ["SERVED", "16"], "visitors")

    # One generation leaves the shared socket non-blocking, and the next expects to block.
    other = podctl(machine, "provision mode --tier mode", timeout=120)
    expect(asks(machine, other), "events")
    machine.put("/usr/local/lib/podctl-test/mode", "blocking")
    machine.succeed(f"podctl restart {other['pod']}", timeout=120)
    expect(asks(machine, other), "blocking")
    expect(asks(machine, other), "blocking")
    shown = pods(machine)[other["pod"]]
    expect((shown["state"], shown["restarts"]), ("ready", 0), "the generation that blocks")

    # The kernel cannot hand over connections any more: nothing is put to sleep that nobody could wake.
    machine.succeed("mv $(readlink -f /lib/modules)/$(uname -r) /root/modules; rmmod nfnetlink_queue 2> /dev/null || true")
    evicted = machine.run(f"podctl evict {pod['pod']}", timeout=120)
    if evicted.status == 0:
        expect(machine.run("lsmod | grep -c '^nfnetlink_queue'").stdout.strip(), "1", "the module is in the kernel")
        machine.succeed(f"podctl start {pod['pod']}", timeout=120)
    else:
        assert "nfnetlink_queue" in evicted.stderr, evicted.stderr
    machine.succeed("mv /root/modules $(readlink -f /lib/modules)/$(uname -r)")
    expect(pods(machine)[pod["pod"]]["state"], "ready")


@case(once="12")
def no_pod_runs_without_the_packet_filter(machine):
    stand = "nft list chain inet podctl pod"
    pod = podctl(machine, "provision alice", timeout=120)
    before = pods(machine)[pod["pod"]]
    # Another target stops podd and does not want the rules; pods run on.
    me = machine.succeed("sed -n 's/^0:://p' /proc/self/cgroup | tr / '\\n' | grep -E '\\.(service|scope)$' | tail -n 1").strip()
    default = machine.succeed("systemctl get-default").strip()
    machine.put("/run/systemd/system/quiet.target",
                f"[Unit]\nDescription=Maintenance\nRequires=basic.target\nAfter=basic.target\nWants={me}\nAllowIsolate=yes\n")
    machine.put(f"/run/systemd/system/{default}.d/agent.conf", f"[Unit]\nWants={me}\n")
    machine.succeed("systemctl daemon-reload; systemctl --no-block isolate quiet.target")
    wait_until(lambda: machine.run("systemctl -q is-active podd.service").status != 0
               and not machine.succeed("systemctl list-jobs --no-legend"), 60, what="the other target")
    expect(machine.run(f"kill -0 {before['main_pid']}").status, 0, "the pod in the other target")
    expect(machine.run(stand).status, 0, "the rules in the other target")
    # Whoever stops them: pods.slice starts them again, also without podd.
    machine.succeed("systemctl stop podctl-firewall.service")
    wait_until(lambda: machine.run(stand).status == 0, 30, what="the rules are back without podd")
    machine.succeed(f"systemctl --no-block isolate {default}")
    wait_until(lambda: machine.run("podctl pods").status == 0, 60, what="podd answers")
    after = pods(machine)[pod["pod"]]
    expect((after["main_pid"], after["state"]), (before["main_pid"], "ready"), "the pod after the way back")

    # Without nft nothing is launched, and that is no fault of the pod.
    machine.succeed("mv /usr/sbin/nft /root/nft; /root/nft delete table inet podctl")
    machine.succeed(f"kill -9 {after['main_pid']}")
    wait_until(lambda: str(pods(machine)[pod["pod"]]["last_exit_reason"]).startswith("launch-failed:firewall"), 60,
               what="the launch fails for the lack of the packet filter")
    expect(machine.run(f"/root/nft list table inet podctl").status, 1, "no rules")
    assert pods(machine)[pod["pod"]]["main_pid"] is None
    doctor = machine.run("podctl doctor")
    assert doctor.status == 1 and "nft is not installed" in doctor.stdout, doctor
    machine.succeed("mv /root/nft /usr/sbin/nft")
    wait_until(lambda: pods(machine)[pod["pod"]]["state"] == "ready", 120, what="the pod comes back by itself")
    expect(machine.run(stand).status, 0, "the rules")

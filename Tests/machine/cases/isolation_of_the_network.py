"""A pod opens no connection, and answers only its front address (docs/design.md, "Addresses").

Connection attempts show this. Each attack also runs where nothing protects against it: on the host as an ordinary user, or
without the packet filter's rules."""

import json
import pathlib
import signal

from attacking import attackers, on_host
from podctl_testing import case, expect, wait_until

HOST_TCP = [("127.0.0.1", 7001), ("127.0.0.1", 7002), ("127.76.0.1", 7002), ("127.76.0.2", 7002),
            ("10.9.9.1", 7002), ("10.9.9.1", 7005), ("169.254.169.254", 7006), ("127.77.200.1", 7007),
            ("127.76.0.1", 7008), ("127.200.1.1", 7002)]
HOST_TCP6 = [("::1", 7003), ("::1", 7004), ("::ffff:127.0.0.1", 7002), ("::ffff:10.9.9.1", 7005)]

# About one attempt in 500, connect(2) of Python returns without an error while the socket is still in SYN_SENT: the ICMP error
# arrived during the system call, and SO_ERROR no longer had it. getpeername(2) then fails with ENOTCONN.
CONNECT = """
def connect(address, port, source=None, kind=socket.SOCK_STREAM, protocol=0, data=b""):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind, protocol) as each:
        if source: each.bind((source, 0))
        if data:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 3, 0))
            each.sendto(data, 0x20000000, (address, port))  # MSG_FASTOPEN
        else:
            each.settimeout(3)
            each.connect((address, port))
            each.getpeername()
        if kind == socket.SOCK_DGRAM: each.send(b"attack")
def tries(attempts):
    return {" ".join(map(str, each)): outcome(connect, *each) for each in attempts}
"""


class Host:
    """Services on the host that pods must not reach: files/listeners.py, with addresses of another interface, too."""

    def __init__(self, machine):
        self.machine = machine

    def __enter__(self):
        files = pathlib.Path(__file__).resolve().parent.parent / "files"
        self.machine.put("/root/listeners.py", (files / "listeners.py").read_text())
        self.machine.succeed("ip link del attacked 2> /dev/null; ip link add attacked type dummy && ip addr add 10.9.9.1/24 dev attacked && "
                             "ip addr add 169.254.169.254/32 dev attacked && ip link set attacked up")
        self.job = self.machine.start("exec python3 /root/listeners.py")
        wait_until(lambda: "READY" in self.job.stdout or not self.job.running, 60)
        assert self.job.running, self.job.stderr
        return self

    def __exit__(self, *_):
        self.job.signal()
        self.job.wait()
        self.machine.succeed("ip link del attacked")

    def reached_by(self):
        """The peers that the services have seen since the last call."""
        settled = self.job.stdout.count("SETTLED")
        self.job.signal(signal.SIGUSR1)
        wait_until(lambda: self.job.stdout.count("SETTLED") > settled, 60, what="the host's services have handled everything")
        lines = [line for line in self.job.stdout.split("\n")[1:-1] if line != "SETTLED"]
        seen, self.seen = lines[getattr(self, "seen", 0):], len(lines)
        return seen


def rules_stand(machine):
    return machine.run("nft list chain inet podctl pod | grep -q goto").status == 0


def without_rules(machine):
    """Removes the rules. podd is stopped, because it would load them again at once; pods keep running. Their unit stays
    active, because pods.slice would start it again."""
    machine.succeed("systemctl stop podd.service && nft delete table inet podctl")
    assert not rules_stand(machine)


def refused(machine, results):
    """Fails unless every attempt failed at once with an error at the sender."""
    expect({each: result for each, result in results.items()
            if result not in ("EHOSTUNREACH", "EACCES", "EPERM", "ENETUNREACH", "EADDRNOTAVAIL", "EADDRINUSE",
                              "EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EINVAL", "ENOTCONN")},
           {}, "connections of a pod")


@case()
def a_pod_connects_to_no_service_of_the_host_and_to_no_other_pod(machine):
    pods = attackers(machine, "mallory", "alice")
    pods |= attackers(machine, "bob", "carol", listen="port")
    targets = {name: (pod.address, pod.port) for name, pod in pods.items()}
    # Pods with Listen=port bind to 0.0.0.0 here, so every local address leads to them.
    for name in ("bob", "carol"):
        targets[f"{name} by 127.0.0.1"] = ("127.0.0.1", pods[name].port)
        targets[f"{name} by its front address"] = (pods[name].front, pods[name].port)
    with Host(machine) as host:
        for attacker in (pods["mallory"], pods["bob"]):
            others = [target for name, target in targets.items() if not name.startswith(
                next(each for each, pod in pods.items() if pod is attacker))]
            victim, carol = pods["alice"], pods["carol"]
            sources = [None, attacker.address, attacker.front, victim.address, victim.front, carol.front,
                       "127.0.0.1", "10.9.9.1", "127.76.255.1"]
            of_host = [(*target, source) for target in HOST_TCP for source in sources]
            of_host += [(*target, None) for target in HOST_TCP6]
            attempts = of_host + [(*target, source) for target in others for source in sources]
            if attacker is pods["mallory"]:
                # Nothing gets through to or from the addresses of pods.
                allowed = [each for each in of_host
                           if not each[0].startswith("127.77.") and not str(each[2]).startswith("127.77.")]
                control = on_host(machine, f"{CONNECT}\nanswer(tries({allowed!r}))", user="visitor")
                expect({each: result for each, result in control.items() if result != "done"}, {},
                       "control: as a user of the host")
                allowed = [(alice.address, alice.port, alice.front) for alice in (victim, carol)]
                control = on_host(machine, f"{CONNECT}\nanswer(tries({allowed!r}))", user="visitor")
                expect(set(control.values()), {"done"}, "control: a pod from its front address")
                host.reached_by()
            refused(machine, attacker.run(f"{CONNECT}\nanswer(tries({attempts!r}))", 300))
            expect(host.reached_by(), [], f"what {attacker.pod} reached")
        # Without the rules, the pod can reach a service on 0.0.0.0 through the only address that its scope allows.
        mallory = pods["mallory"]
        attack = f"{CONNECT}\nanswer(tries({[(mallory.front, 7002), ('127.0.0.1', 7001)]!r}))"
        try:
            without_rules(machine)
            found = mallory.run(attack)
            expect([each for each, result in found.items() if result == "done"], [f"{mallory.front} 7002"],
                   "control: without the rules")
        finally:
            machine.succeed("systemctl start podd.service")
        wait_until(lambda: rules_stand(machine), 60)
        refused(machine, mallory.run(attack))


@case()
def a_pod_sends_nothing_by_any_other_protocol(machine):
    mallory = attackers(machine, "mallory")["mallory"]
    attack = f"""{CONNECT}
UDP, TCP = socket.SOCK_DGRAM, socket.SOCK_STREAM
attempts = [(*target, source, UDP) for source in (None, {mallory.front!r}, {mallory.address!r}) for target in
            {HOST_TCP!r}] + [(*target, None, UDP) for target in {HOST_TCP6!r}]
# MPTCP, UDP-Lite, SCTP, DCCP, and TCP with data in its first packet.
attempts += [({mallory.front!r}, 7002, None, TCP, 262), ({mallory.front!r}, 7002, {mallory.front!r}, TCP, 262),
             ({mallory.front!r}, 7002, None, UDP, 136), ({mallory.front!r}, 7002, None, TCP, 132),
             ({mallory.front!r}, 7002, None, 6, 33), ({mallory.front!r}, 7002, None, TCP, 0, b"early"),
             ("127.0.0.1", 7001, None, TCP, 262), ("127.0.0.1", 7001, None, TCP, 0, b"early")]
def ping():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as each:
        each.settimeout(5)
        each.sendto(b"\\x08\\0\\0\\0\\0\\0\\0\\1", ({mallory.front!r}, 0))
        each.recv(100)
def sender(address):
    with socket.socket(socket.AF_INET, UDP) as each:
        each.sendto(b"attack", (address, 7002))
found = tries(attempts)
found["ping"] = outcome(ping)
found["broadcast"] = outcome(sender, "127.255.255.255")
found["multicast"] = outcome(sender, "224.0.0.1")
answer(found)
"""
    with Host(machine) as host:
        machine.succeed("sysctl -q -w net.ipv4.ping_group_range='0 2147483647'")
        control = on_host(machine, attack)
        # UDP-Lite, SCTP and DCCP have no service here, or the kernel lacks them; all others arrive.
        expect({each: result for each, result in control.items() if result != "done"
                and result not in ("ECONNREFUSED", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT")
                and each not in ("broadcast", "multicast")}, {}, "control: on the host")
        seen = []
        wait_until(lambda: seen.extend(host.reached_by()) or len(seen) > 3 * len(HOST_TCP), 30, what="datagrams")
        found = mallory.run(attack, 300)
        refused(machine, found)
        expect(host.reached_by(), [], "what the pod reached")
    families = mallory.run("""
answer({name: outcome(lambda: socket.socket(*arguments).close()) for name, arguments in {
    "packet": (socket.AF_PACKET, socket.SOCK_DGRAM), "raw": (socket.AF_INET, socket.SOCK_RAW, 255),
    "raw ICMP": (socket.AF_INET, socket.SOCK_RAW, 1), "vsock": (40, socket.SOCK_STREAM),
    "netfilter": (socket.AF_NETLINK, socket.SOCK_RAW, 12), "audit": (socket.AF_NETLINK, socket.SOCK_RAW, 9),
    "uevent": (socket.AF_NETLINK, socket.SOCK_RAW, 15), "kernel crypto": (38, socket.SOCK_SEQPACKET),
    "bluetooth": (31, socket.SOCK_RAW, 1), "can": (29, socket.SOCK_RAW, 1), "tipc": (30, socket.SOCK_STREAM),
    "rds": (21, socket.SOCK_SEQPACKET), "smc": (43, socket.SOCK_STREAM), "xdp": (44, socket.SOCK_RAW)}.items()})
""")
    assert set(families.values()) <= {"EAFNOSUPPORT", "EPROTONOSUPPORT", "EPERM"}, families


@case()
def a_pod_gets_nowhere_with_the_sockets_that_podd_made(machine):
    mallory = attackers(machine, "mallory")["mallory"]
    # A socket that was shut down or disconnected can be connected again, and it belongs to podd's cgroup. This applies to
    # the listening socket and to each accepted connection, such as the one that carries the attack.
    goals = [("127.0.0.1", 7001), ("127.0.0.1", 7002), ("127.76.0.1", 7008), (mallory.front, 7002),
             ("10.9.9.1", 7005), ("127.77.200.1", 7007)]
    attack = f"""
import contextlib
loose = struct.pack("H14x", socket.AF_UNSPEC)
def again(each, address, port, source):
    with contextlib.suppress(OSError): each.shutdown(socket.SHUT_RDWR)
    call("connect", each.fileno(), loose, len(loose))
    each.settimeout(5)
    if source: each.bind((source, 0))
    each.connect((address, port))
    each.getpeername()
sockets = {{"listening": socket.socket(fileno=os.dup(3)), "accepted": connection}}
found = {{f"{{name}} {{goal[0]}} {{goal[1]}} {{source}}": outcome(again, each, *goal, source)
         for name, each in sockets.items() for goal in {goals!r} for source in (None, {mallory.front!r})}}
with open("users/mallory/found.new", "w") as file: json.dump(found, file)
os.rename("users/mallory/found.new", "users/mallory/found")
"""
    path = f"/var/lib/podctl/pods/{mallory.pod}/users/mallory/found"

    def found():
        machine.succeed(f"rm -f {path}")
        mallory.start(attack).wait(150)
        wait_until(lambda: machine.run(f"test -e {path}").status == 0, 60)
        # The pod has broken its listening socket; a restart creates a new one.
        machine.succeed(f"podctl restart {mallory.pod}", timeout=120)
        wait_until(mallory.alive, 60)
        return json.loads(machine.get(path))

    with Host(machine) as host:
        refused(machine, found())
        expect(host.reached_by(), [], "what the pod reached")
        # Without the rules that recognise pods by something else than the cgroup, the attack succeeds.
        machine.succeed("nft flush chain inet podctl opening")
        try:
            opened = [each for each, result in found().items() if result == "done"]
            assert f"listening {mallory.front} 7002 None" in opened, opened
            assert f"accepted {mallory.front} 7002 None" in opened, opened
        finally:
            machine.succeed("systemctl reload podctl-firewall.service")


@case()
def a_pod_answers_its_front_address_alone(machine):
    pods = attackers(machine, "alice") | attackers(machine, "bob", listen="port")
    with Host(machine):
        for name, pod in pods.items():
            other = pods["bob" if name == "alice" else "alice"]
            assert pod.alive()
            addresses = [pod.address] + (["127.0.0.1", pod.front, "10.9.9.1"] if name == "bob" else [])
            attempts = [(address, pod.port, source) for address in addresses
                        for source in (None, "127.0.0.1", other.front, other.address, "10.9.9.1", "127.76.255.1")]
            found = on_host(machine, f"{CONNECT}\nanswer(tries({attempts!r}))")
            # The rules refuse it at once; or the scope drops it, at another address than the pod's.
            expect({each: result for each, result in found.items() if result not in ("EHOSTUNREACH", "ENOTCONN", "timeout")}, {},
                   f"who {name} answers")
            assert all(result in ("EHOSTUNREACH", "ENOTCONN") for each, result in found.items()
                       if each.startswith(pod.address)), found
        bob = pods["bob"]
        # The control: the same sources reach a listener that is not a pod.
        for source in ("127.0.0.1", bob.front, "10.9.9.1", "127.76.255.1"):
            expect(on_host(machine, f"{CONNECT}\nanswer(tries([('127.0.0.1', 7001, {source!r})]))", "visitor"),
                   {f"127.0.0.1 7001 {source}": "done"})
        # Datagrams do not reach a pod, either.
        waiting = bob.start(f"""
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as each:
    each.bind(("0.0.0.0", {bob.port}))
    open("users/bob/bound", "w").close()
    each.settimeout(10)
    answer(outcome(each.recv, 100))
""")
        wait_until(lambda: machine.run(f"test -e /var/lib/podctl/pods/{bob.pod}/users/bob/bound").status == 0, 60)
        on_host(machine, f"""
for source in ("127.0.0.1", "10.9.9.1", {bob.address!r}):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as each:
        each.bind((source, 0))
        for address in ("127.0.0.1", {bob.address!r}, "10.9.9.1"):
            outcome(each.sendto, b"hello", (address, {bob.port}))
answer(0)
""")
        expect(waiting.wait(60).stdout.strip(), '"timeout"', "a datagram to a pod")


@case()
def what_a_workload_names_is_open_and_nothing_else(machine):
    with Host(machine) as host:
        mallory = attackers(machine, "mallory", workload="IPAddressAllow=10.9.9.1 ::1 10.9.0.0/16 10.9.9.0/24")["mallory"]
        attack = f"""{CONNECT}
answer(tries([("10.9.9.1", 7005), ("10.9.9.1", 7002), ("10.9.9.1", 7005, None, socket.SOCK_DGRAM), ("::1", 7003),
              ("10.9.9.1", 7005, {mallory.address!r}), ("169.254.169.254", 7006), ("127.0.0.1", 7001), ("127.0.0.1", 7002), ({mallory.front!r}, 7002),
              ("127.77.200.1", 7007)]))"""

        def holds():
            found = mallory.run(attack)
            opened = [each for each, result in found.items() if result == "done"]
            expect(opened, list(found)[:5], "what the workload opened")
            refused(machine, {each: result for each, result in found.items() if result != "done"})

        holds()
        # Pods of other workloads stay closed, and the exceptions end with the generation.
        bob = attackers(machine, "bob", listen="port")["bob"]
        refused(machine, bob.run(f"{CONNECT}\nanswer(tries([('10.9.9.1', 7005)]))"))
        elements = "nft list set inet podctl allowed4 | grep -c 10.9"
        for change in ("systemctl restart podd.service", f"podctl restart {mallory.pod}",
                       "systemctl reload podctl-firewall.service", "nft flush ruleset"):
            machine.succeed(change, timeout=120)
            wait_until(lambda: machine.run(elements).status == 0, 60, what=f"exceptions after {change}")
            wait_until(mallory.alive, 60)
            holds()
        machine.succeed(f"podctl stop {mallory.pod}", timeout=60)
        wait_until(lambda: machine.run(elements).status == 1, 60, what="no exceptions without the pod")


@case()
def the_rules_come_back_whatever_takes_them_away(machine):
    pods = attackers(machine, "mallory", "alice")
    mallory, alice = pods["mallory"], pods["alice"]
    podd = machine.succeed("systemctl show -P MainPID podd.service")
    attack = f"{CONNECT}\nanswer(tries([({mallory.front!r}, 7002), ('127.0.0.1', 7001), ({alice.address!r}, {alice.port})]))"
    with Host(machine) as host:
        try:
            for change in ("systemctl start nftables.service", "systemctl reload nftables.service",
                           "systemctl restart nftables.service", "nft flush ruleset", "nft delete table inet podctl",
                           "systemctl stop nftables.service", "systemctl stop podctl-firewall.service",
                           "systemctl restart podctl-firewall.service", "systemctl kill -s KILL podd.service"):
                machine.succeed(change, timeout=60)
                wait_until(lambda: rules_stand(machine), 60, what=f"the rules after: {change}")
                refused(machine, mallory.run(attack))
            assert host.reached_by() == []
            assert "gone; loading them again" in machine.succeed("journalctl -b -u podd.service")
            assert podd != machine.succeed("systemctl show -P MainPID podd.service")
            assert alice.alive() and mallory.alive()
            # While podd cannot load them again, doctor reports it.
            machine.succeed("mv /usr/lib/podctl/podctl.nft /root/ && nft flush ruleset")
            doctor = machine.run("podctl doctor")
            assert doctor.status != 0 and "nftables" in doctor.stdout + doctor.stderr, doctor
            machine.succeed("mv /root/podctl.nft /usr/lib/podctl/")
            wait_until(lambda: rules_stand(machine), 90)
            wait_until(lambda: machine.run("podctl doctor").status == 0, 60)
        finally:
            machine.run("test -e /root/podctl.nft && mv /root/podctl.nft /usr/lib/podctl/;"
                        "systemctl stop nftables.service; systemctl reload-or-restart podctl-firewall.service")


@case()
def abstract_sockets_of_others_are_out_of_reach_where_the_kernel_can_close_them(machine):
    pods = attackers(machine, "mallory", "alice")
    reach = """
def reach(name):
    with socket.socket(socket.AF_UNIX) as each:
        each.settimeout(5)
        each.connect("\\0" + name)
answer({name: outcome(reach, name) for name in NAMES})
"""
    waiting = pods["alice"].start("""
with socket.socket(socket.AF_UNIX) as each:
    each.bind("\\0alice")
    each.listen()
    open("users/alice/bound", "w").close()
    while os.path.exists("users/alice/bound"): time.sleep(0.1)
""")
    bound = f"/var/lib/podctl/pods/{pods['alice'].pod}/users/alice/bound"
    wait_until(lambda: machine.run(f"test -e {bound}").status == 0, 60)
    with Host(machine):
        code = reach.replace("NAMES", "['podctl-test', 'alice']")
        found = pods["mallory"].run(code)
        # Needs Landlock ABI 6 of kernel 6.12; podctl-isolation(7) says what is open on older kernels.
        abi = on_host(machine, "answer(libc.syscall(444, None, 0, 1))")
        if abi >= 6:
            expect(set(found.values()), {"EPERM"}, "abstract sockets within reach")
            # A pod reaches its own abstract sockets.
            expect(pods["mallory"].run("""
with socket.socket(socket.AF_UNIX) as mine, socket.socket(socket.AF_UNIX) as other:
    mine.bind("\\0mallory")
    mine.listen()
    answer(outcome(other.connect, "\\0mallory"))
"""), "done")
        expect(on_host(machine, code, user="visitor"), {"podctl-test": "done", "alice": "done"}, "control")
    machine.succeed(f"rm {bound}")
    waiting.wait(60)

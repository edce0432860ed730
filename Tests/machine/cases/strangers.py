"""podd answers, whatever a local user or a tenant sends, and believes nobody more than the kernel does."""

import json

from attacking import attackers
from podctl_testing import (
    case, complaints, curl, expect, moment, podctl, pods, recorded, refused, token, unit, wait_until)

#: Sends COUNT calls of a method with one text of so many BYTES, without libdbus, which would check them first.
FLOOD = r'''
import os, socket, struct, sys, time
member, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def text(t): t = t.encode(); return struct.pack("<I", len(t)) + t + b"\0"
def pad(b, n): return b + b"\0" * (-len(b) % n)
def call(serial, destination, path, interface, member, signature=None, body=b""):
    fields = b""
    for code, kind, value in ((1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", destination)) + (
            ((8, "g", signature),) if signature else ()):
        fields = pad(fields, 8) + bytes([code, 1]) + kind.encode() + b"\0"
        fields += (bytes([len(value)]) + value.encode() + b"\0") if kind == "g" else pad(fields, 4)[len(fields):] + text(value)
    return pad(b"l\x01\x00\x01" + struct.pack("<III", len(body), serial, len(fields)) + fields, 8) + body
def connect():
    bus = socket.socket(socket.AF_UNIX); bus.connect("/run/dbus/system_bus_socket")
    bus.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n"); assert bus.recv(999).startswith(b"OK")
    bus.sendall(b"BEGIN\r\n" + call(1, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello"))
    return bus
value = "a" * size
body = struct.pack("<I", size) + value.encode() + b"\0"
sent = 0
while sent < count:
    bus = connect()
    # The bus allows a connection 128 calls without a reply.
    for serial in range(2, 2 + min(100, count - sent)):
        try: bus.sendall(call(serial, "org.podctl1", "/org/podctl1", "org.podctl1.Manager", member, "s", body)); sent += 1
        except OSError: break
    bus.settimeout(0.5)
    try:
        while bus.recv(65536): pass
    except OSError: pass
print(sent)
'''


#: Thirty processes with all the descriptors that a process may have, one of them the request's connection. They ignore
#: SIGTERM.
HOARD = """
for number in (signal.SIGTERM, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)
while outcome(os.dup, 0) == "done": pass
for _ in range(30):
    if os.fork() == 0:
        # The attack ends when nobody has its output open.
        os.close(sys.stdout.fileno())
        time.sleep(600)
        os._exit(0)
answer("ready")
"""


def supervisor(machine):
    return unit(machine, "podd.service", "MainPID", "NRestarts", "WatchdogTimestampMonotonic")["MainPID"]


@case()
def podd_answers_whatever_strangers_and_tenants_send(machine):
    pods_of = attackers(machine, "mallory", "alice", workload="Overlap=yes")
    mallory, alice = pods_of["mallory"], pods_of["alice"]
    carol = attackers(machine, "carol", listen="port")["carol"]
    since, podd = moment(machine), supervisor(machine)
    machine.put("/root/flood.py", FLOOD)
    machine.succeed("install -m 644 /root/flood.py /usr/local/lib/podctl-test/flood.py")
    # A local user does not even reach the notify socket.
    for path in ("/run/podctl/private/notify/socket", "/run/podctl/notify/socket"):
        reached = machine.run(
            f"python3 -c 'import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect(\"{path}\")'",
            user="visitor")
        assert reached.status != 0, (path, reached)
    # A tenant's sockets never make the one wait who closes them last, and descriptors that are slow to close hold nobody up.
    expect(mallory.run("""
import array
one = socket.socket()
one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3600))
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for _ in range(20):
    watches = []
    while len(watches) < 50:
        # A user may have 128, until podd has closed what it was sent.
        try: watches.append(call("inotify_init1", 0))
        except OSError: break
    if watches: outcome(manager.sendmsg, [b"X=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", watches))], 0,
            os.environ["NOTIFY_SOCKET"])
    for watch in watches: os.close(watch)
answer(struct.unpack("ii", one.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))[0])
"""), 0)
    # A generation that is replaced, with more descriptors than anybody could look through in time.
    mallory.run(HOARD, 60)
    machine.succeed(f"podctl restart {mallory.pod}", timeout=120)
    expect(supervisor(machine), podd)
    # A front door that has left the bus before podd reads its call holds no replacement up.
    machine.succeed("systemctl kill --kill-whom=main --signal=STOP podd.service")
    attach = "busctl call --expect-reply=no org.podctl1 /org/podctl1 org.podctl1.Manager AttachFrontDoor"
    machine.succeed(f"{attach} && {attach}; systemctl kill --kill-whom=main --signal=CONT podd.service")
    machine.succeed(f"podctl restart {carol.pod}", timeout=120)
    # Long arguments, and many calls that are denied.
    floods = [machine.start(f"python3 /usr/local/lib/podctl-test/flood.py {arguments}", user="visitor")
              for arguments in (f"GetUser {8 << 20} 12", "StartPod 100 1500")]
    expect(len(podctl(machine, "pods", timeout=60)), 3)
    machine.succeed(f"podctl restart {alice.pod}", timeout=120)
    expect([flood.wait(180).status for flood in floods], [0, 0])
    uid = machine.succeed("id -u visitor").strip()
    expect(recorded(machine, f"SELECT * FROM audit WHERE uid = {uid}"), [])
    denied = machine.succeed(f"journalctl --sync; journalctl -o cat --since=@{since} -t podd POD_CALLER_UID={uid}").splitlines()
    assert 1 <= len(denied) <= 20 and max(map(len, denied)) < 1000, (len(denied), denied[:3])
    expect(supervisor(machine), podd)
    expect(complaints(machine, since, allowed=("was denied to uid",)), [])


# Triple braces: nothing is escaped.
TEMPLATE = ('{"users":[{{#users}}{"user":"{{{user}}}","token":"{{{token}}}","directory":"{{{directory}}}",'
            '"data_max":null}{{^last}},{{/last}}{{/users}}]}')


@case()
def a_withdrawn_token_is_dead_in_every_state_of_its_pod(machine):
    users = ["alice", "bob", "carol", "dave", "erin"]
    placed = [podctl(machine, f"provision {user}") for user in users][0]
    tokens = {user: token(machine, user) for user in users}

    def answers(user):
        return curl(machine, placed, "/api/v2/version", user_token=tokens[user])[0]

    expect([answers(user) for user in users], [200] * 5)
    # Frozen: the program is not asked, and would go on with what it knows when it is thawed.
    machine.succeed("podctl freeze pod-001 && podctl deprovision alice")
    expect(pods(machine)["pod-001"]["state"], "frozen")
    expect((answers("alice"), answers("bob")), (401, 200))
    # A call that fails after the user is off the record, and is repeated.
    machine.put("/etc/podctl/users.mustache", TEMPLATE)
    machine.put("/etc/podctl/workloads/podserve.conf.d/template.conf",
                "[Workload]\nUsersTemplate=/etc/podctl/users.mustache\n")
    machine.succeed("podctl restart pod-001")
    expect([answers(user) for user in users], [401, 200, 200, 200, 200])
    machine.put("/etc/podctl/users.mustache", "{{#users}}")
    assert machine.run("podctl deprovision bob").status != 0
    machine.put("/etc/podctl/users.mustache", TEMPLATE)
    machine.succeed("podctl deprovision bob")
    expect((answers("bob"), answers("carol")), (401, 200))
    # Not repeated: podd does it by itself as soon as it can.
    machine.put("/etc/podctl/users.mustache", "{{#users}}")
    assert machine.run("podctl deprovision carol").status != 0
    machine.put("/etc/podctl/users.mustache", TEMPLATE)
    wait_until(lambda: answers("carol") == 401, 60, what="carol's token is refused")
    # podd dies between both.
    machine.put("/etc/podctl/users.mustache", "{{#users}}")
    assert machine.run("podctl deprovision dave").status != 0
    machine.succeed("systemctl kill --signal=KILL podd.service")
    wait_until(lambda: machine.run("podctl pods").status == 0, 60, what="podd is back")
    refused(machine, "podctl deprovision dave", 1, "users.mustache")
    expect(answers("dave"), 200, "the program was not notified, so the call that was repeated must not succeed")
    machine.put("/etc/podctl/users.mustache", TEMPLATE)
    wait_until(lambda: answers("dave") == 401, 60, what="dave's token is refused")
    expect(answers("erin"), 200)


@case()
def logs_believe_the_kernel_and_each_pod_has_a_limit_of_its_own(machine):
    pods_of = attackers(machine, "mallory", "alice", workload="LogRateLimitBurst=50")
    mallory, alice = pods_of["mallory"], pods_of["alice"]
    carol = attackers(machine, "carol", listen="port")["carol"]
    forged = f"POD={alice.pod}\nPOD_USER=alice\nMESSAGE=forged by {{}}\n"
    machine.succeed("logger --journald", input=forged.format("a visitor"), user="visitor")
    send = f"""
answer([outcome(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto, {forged.format("a pod").encode()!r}, path)
        for path in ("/run/systemd/journal/socket", "/dev/log")])
"""
    expect(mallory.run(send), ["ENOENT", "ENOENT"])
    # What a pod writes is limited by its own number; journald multiplies it on an empty disk.
    mallory.run("""
for number in range(3000): os.write(1, b"mine %d\\n" % number)
answer(0)
""")
    # A workload may ask for the sockets.
    machine.put("/etc/podctl/workloads/attacksocket.conf.d/log.conf", "[Workload]\nBindLogSockets=yes\n")
    machine.succeed(f"podctl restart {mallory.pod}")
    expect(mallory.run(send)[0], "done")
    machine.succeed("journalctl --sync")
    for name in (alice.pod, "alice"):
        shown = podctl(machine, f"logs {name}")
        assert shown and not [each for each in shown if "forged" in each["message"]], shown
    assert "forged by a visitor" in machine.succeed(f"journalctl -o cat POD={alice.pod}")
    own = [each["message"] for each in podctl(machine, f"logs {mallory.pod}")]
    assert 50 <= len([each for each in own if each.startswith("mine ")]) < 1000, len(own)
    assert any("is ready" in each for each in own), own[-5:]

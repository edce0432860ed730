"""What happens in Tests/machine/chaos: faults of the host, attacks of tenants and of a local user, and operations."""

import json

#: Takes all space of the file systems that have these files, in ever smaller pieces.
FILL = """import os, sys
for path in sys.argv[1:]:
    file, size = os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 30
    while size >= 4096:
        try:
            os.posix_fallocate(file, os.fstat(file).st_size, size)
        except OSError:
            size //= 2"""

#: For each fault: the commands that begin it and those that end it. All are idempotent.
FAULTS = {
    "journald": (
        "systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket "
        "systemd-journald.service",
        "systemctl start systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service"),
    "the bus": ("systemctl kill -s KILL dbus.service", "systemctl start dbus.service"),
    "polkit": (
        "systemctl mask --runtime polkit.service; systemctl stop polkit.service",
        "systemctl unmask --runtime polkit.service"),
    "nft": ("mv -n /usr/sbin/nft /usr/sbin/nft.away", "mv -n /usr/sbin/nft.away /usr/sbin/nft"),
    "the packet filter's rules": ("nft flush ruleset", "true"),
    "disk space": (
        f"python3 -c '{FILL}' /var/lib/podctl/pods/fill /var/tmp/fill",
        "rm -f /var/lib/podctl/pods/fill /var/tmp/fill"),
    "inodes": (
        "mkdir -p /var/lib/podctl/pods/.fill && cd /var/lib/podctl/pods/.fill && "
        "python3 -c 'import os\nfor n in range(10000): os.close(os.open(str(n), os.O_CREAT))' 2> /dev/null",
        "rm -rf /var/lib/podctl/pods/.fill"),
    "space in /run": (
        "mount -o remount,size=$(( $(df -k --output=used /run | tail -n 1) + 64 ))k /run; "
        "head -c 1M /dev/zero > /run/fill 2> /dev/null",
        "rm -f /run/fill; mount -o remount,size=20% /run"),
    "the time, forward": ("date -s '+50 minutes'", "date -s '-50 minutes'"),
    "the time, back": ("date -s '-100 minutes'", "date -s '+100 minutes'"),
}

#: Python code that runs in a hostile tenant's pod, after attacking.PRELUDE.
ATTACKS = {
    "a mark of its own": """
with open(os.environ["USERS_FILE"]) as file:
    user = json.load(file)["users"][0]["user"]
with open(os.environ["STATE_DIRECTORY"] + "/mark", "w") as file:
    file.write("MARK-OF-" + user)
answer(user)
""",
    "all ports": """
held = []
for port in range(10001, 20000):
    each = socket.socket()
    try:
        each.bind(("0.0.0.0", port)); each.listen(1); held.append(each)
    except OSError:
        pass
time.sleep(20)
answer(len(held))
""",
    "descriptors for podd that are slow to close": """
import array
pair = socket.socketpair()
listener = socket.create_server(("127.0.0.1", 0)) if outcome(socket.create_server, ("127.0.0.1", 0)) == "done" else None
for _ in range(200):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendmsg([b"X=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [pair[0].fileno()] * 16))],
                           0, os.environ["NOTIFY_SOCKET"])
        except OSError:
            pass
answer("sent")
""",
    "a flood of messages": """
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
    sender.setblocking(False)
    end = time.monotonic() + 8
    while time.monotonic() < end:
        try:
            sender.sendto(b"READY=1\\nSTATUS=" + b"x" * 4000, os.environ["NOTIFY_SOCKET"])
        except OSError:
            pass
answer("sent")
""",
    "a deep tree and names of bytes": """
os.chdir(os.environ["STATE_DIRECTORY"])
for depth in range(300):
    outcome(os.mkdir, b"caf\\xe9"); os.chdir(b"caf\\xe9")
answer("made")
""",
    "many files": """
os.chdir(os.environ["STATE_DIRECTORY"])
for number in range(500):
    try:
        with open(f"file-{number}", "w") as file: file.write("x")
    except OSError:
        break
answer("made")
""",
    "links out of its directory": """
os.chdir(os.environ["STATE_DIRECTORY"])
for name, target in (("etc", "/etc"), ("pods", "/var/lib/podctl/pods"), ("up", "../.."), ("users.new", "/etc/shadow")):
    outcome(os.symlink, target, name)
answer("made")
""",
    "other tenants' files": """
seen = []
for root in ("/var/lib/podctl/pods", "/var/lib/podctl/kept", "/proc/1/root", "/run/podctl/pods"):
    for directory, _, files in os.walk(root):
        for name in files:
            try:
                with open(os.path.join(directory, name), "rb") as file:
                    if b"MARK-OF-" in file.read(65536): seen.append(os.path.join(directory, name))
            except OSError:
                pass
answer(seen)
""",
    "the journal": """
for _ in range(20000):
    print("noise " * 20, file=sys.stderr)
answer("written")
""",
    "processes": """
children = []
for _ in range(100):
    try:
        pid = os.fork()
    except OSError:
        break
    if pid == 0:
        time.sleep(10); os._exit(0)
    children.append(pid)
answer(len(children))
""",
    "memory": "held = [bytearray(1 << 20) for _ in range(300)]; answer(len(held))",
    "a connection to every other pod": """
got = []
for number in range(1, 40):
    each = socket.socket(); each.settimeout(0.3)
    if outcome(each.connect, (f"127.77.0.{number}", 10000 + number)) == "done": got.append(number)
answer(got)
""",
}

#: Python code that a local user of the host runs.
VISITS = {
    "the addresses of pods": """
import socket, time
held = []
for number in range(1, 40):
    each = socket.socket()
    try:
        each.bind((f"127.77.0.{number}", 10000 + number)); each.listen(); held.append(each)
    except OSError:
        pass
time.sleep(10)
""",
    "a connection to each pod": """
import socket
for number in range(1, 40):
    each = socket.socket(); each.settimeout(0.5)
    try:
        each.bind((f"127.76.0.{number}", 0)); each.connect((f"127.77.0.{number}", 10000 + number))
        each.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer none\\r\\n\\r\\n")
    except OSError:
        pass
""",
    "the notify socket": """
import socket
each = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for path in ("/run/podctl/private/notify/socket", "/run/podctl/notify/socket"):
    for _ in range(500):
        try:
            each.sendto(b"READY=1", path)
        except OSError:
            break
""",
    "calls with long strings": """
import subprocess
for _ in range(5):
    subprocess.run(["busctl", "--timeout=5", "call", "org.podctl1", "/org/podctl1", "org.podctl1.Manager", "GetUser", "s",
                    "a" * 100000], capture_output=True)
""",
    "verbs that are not allowed": """
import subprocess
for verb in ("StopPod", "StartPod", "ResetPod"):
    for _ in range(5):
        subprocess.run(["busctl", "--timeout=5", "call", "org.podctl1", "/org/podctl1", "org.podctl1.Manager", verb, "s",
                        "pod-001"], capture_output=True)
""",
}


class Operations:
    """What an administrator does meanwhile, to users of the tiers `busy` and `attacksocket`."""

    def __init__(self, machine, random, busy, evil):
        self.machine, self.random = machine, random
        self.tiers = {user: "busy" for user in busy} | {user: "attacksocket" for user in evil}
        #: Whether each user is placed; absent when a call's outcome is not known.
        self.placed = {user: True for user in self.tiers}
        self.jobs = {}

    def step(self):
        self.collect()
        free = sorted(set(self.tiers) - set(self.jobs))
        if not free:
            return "an administrator waits"
        user = self.random.choice(free)
        verb = self.random.choice(
            ("provision", "provision", "provision", "provision --cold", "deprovision", "deprovision --purge",
             "restart", "recycle", "evict", "freeze", "thaw"))
        if verb.startswith("provision"):
            command = f"provision {user} --tier {self.tiers[user]}{verb.removeprefix('provision')}"
        else:
            command = f"{verb} {user}"
        self.jobs[user] = (verb, self.machine.start(f"timeout 120 podctl {command}"))
        return f"podctl {command}"

    def collect(self):
        for user, (verb, job) in list(self.jobs.items()):
            if job.running:
                continue
            status = job.wait().status
            del self.jobs[user]
            wanted = verb.startswith("provision")
            if not wanted and not verb.startswith("deprovision"):
                continue
            if status == 0:
                self.placed[user] = wanted
            elif self.placed.get(user) != wanted:
                self.placed.pop(user, None)

    def wait(self):
        for _, job in self.jobs.values():
            job.wait(180)
        self.collect()

    def check(self):
        """Expects the placements that were confirmed."""
        rows = json.loads(self.machine.succeed("podctl --json users", timeout=60))
        active = {row["user"] for row in rows if row["status"] == "active"}
        wrong = {user: wanted for user, wanted in self.placed.items() if (user in active) != wanted}
        assert not wrong, f"confirmed, and not so on record: {wrong}"

"""What the cases under cases/ are written with.

A case is a function whose name is a sentence, and which takes a booted Machine of its own:

    @case()
    def a_second_provision_changes_nothing(machine): ...

    @case(memory=1024)
    def a_hog_makes_idle_pods_go_first(machine): ...

A case fails by raising: `assert`, `machine.succeed`, `wait_until` and `expect` all say what was wrong.
"""

import json
import re
import shlex
import threading
import time
from typing import Callable, NamedTuple

#: The units whose journal a failing case shows, unless it names its own.
UNITS = ("podd.service", "pod-*.scope", "pods.slice", "podctl-firewall.service")


class Case(NamedTuple):
    name: str
    run: Callable
    package: bool
    suites: tuple
    once: str
    units: tuple
    options: dict


CASES = []


#: Seconds that the thread's case has spent in `wait_until`.
WAITED = threading.local()


def case(package=True, suites=("12", "13"), once=None, units=UNITS, **options):
    """Declares a case.

    Its machine is its own, and has just booted; it was restored from one that was saved then, or, with `options`, which go
    to the machine (memory=MiB, cpus=N, append="kernel parameters"), it was really booted. `package`: podctl is installed
    when it starts. `suites`: where it runs. `once`: the one of them where it runs unless it is asked for by --only; what
    takes minutes or depends on neither kernel nor systemd, and was seen on both, is enough on one of them in each run.
    `units`: whose journal to show when it fails."""

    def declare(function):
        name = function.__name__.replace("_", " ")
        CASES.append(Case(name, function, package, tuple(suites), once, tuple(units), options))
        return function

    return declare


def wait_until(condition, timeout=30, interval=None, what=""):
    """Asks again and again until CONDITION answers with something true, and returns that. After TIMEOUT seconds: a
    TimeoutError that names WHAT was awaited and the last answer. Unless INTERVAL says otherwise, pauses grow to a tenth
    of what was waited, at most to a second: an answer costs an emulated machine as much as a pause at first."""
    started = time.monotonic()
    try:
        while True:
            answer = condition()
            if answer:
                return answer
            waited = time.monotonic() - started
            if waited > timeout:
                described = what or getattr(condition, "__name__", "condition")
                raise TimeoutError(f"not within {timeout} s: {described} (last answer: {answer!r})")
            time.sleep(interval or min(1.0, max(0.2, waited / 10)))
    finally:
        WAITED.seconds = getattr(WAITED, "seconds", 0.0) + time.monotonic() - started


def expect(actual, wanted, what=""):
    """Fails with both values unless they are equal."""
    if actual != wanted:
        raise AssertionError(f"{what or 'value'}: expected {wanted!r}, got {actual!r}")


def podctl(machine, arguments, **options):
    """`podctl --json ARGUMENTS`, decoded. A failure raises with what it printed."""
    return json.loads(machine.succeed(f"podctl --json {arguments}", **options))


def pods(machine):
    """The pods as `podctl --json pods` tells them, by name."""
    return {pod["pod"]: pod for pod in podctl(machine, "pods")}


def recorded(machine, query):
    """What podd's database answers to QUERY, as rows by column; a copy is asked, so that nobody is disturbed."""
    told = machine.succeed(
        "rm -rf /run/recorded && mkdir -m 700 /run/recorded && cp /var/lib/podctl/podctl.db* /run/recorded && "
        f"sqlite3 -json /run/recorded/podctl.db {shlex.quote(query)}")
    return json.loads(told or "[]")


def token(machine, user):
    """The bearer token that podd gave to USER's pod for them, read from the pod's users file as root."""
    placed = {each["user"]: each for each in podctl(machine, "users")}[user]
    listed = json.loads(machine.get(f"/run/podctl/pods/{placed['pod']}/users"))
    return {each["user"]: each["token"] for each in listed["users"]}[user]


def refused(machine, command, status, *words, **options):
    """COMMAND fails as the contract wants it: with STATUS, nothing on standard output, and one line on
    standard error, which has all of WORDS in it. Returns the line."""
    result = machine.run(command, **options)
    expect(result.status, status, f"exit status of {command} ({result.stderr.strip()})")
    expect(result.stdout, "", f"standard output of {command}")
    expect(result.stderr.count("\n"), 1, f"lines of {result.stderr!r}")
    for word in words:
        assert word in result.stderr, f"{word!r} is not in {result.stderr!r}"
    return result.stderr.strip()


def placement(machine):
    """Everything that a call which failed must have left alone: who is placed where, which pods run with
    which main process, whose data there is, and what each pod was told about its users."""
    # Sizes are left out of an answer that would take too long.
    volatile = {"memory_current", "memory_anon", "data_bytes"}
    tables, scopes, data, told = machine.succeed("""
        rm -rf /tmp/placement && mkdir -m 700 /tmp/placement && cp /var/lib/podctl/podctl.db* /tmp/placement
        sqlite3 /tmp/placement/podctl.db "SELECT * FROM user ORDER BY name; SELECT * FROM pod ORDER BY number"
        echo ----
        systemctl list-units --plain --no-legend 'pod-*.scope' | cut -d' ' -f1
        echo ----
        cd /var/lib/podctl && find pods kept -printf '%p %u %m\\n' | sort
        echo ----
        cd /run/podctl/pods 2> /dev/null && sha256sum */users || true
    """).split("----\n")
    return {
        "tables": tables, "scopes": scopes, "data": data, "told": told,
        **{rows: [{key: row[key] for key in row if key not in volatile} for row in podctl(machine, rows)]
           for rows in ("users", "pods")},
    }


def curl(machine, pod, path, *options, user_token=None, source=None, timeout=60):
    """Asks POD (anything with address, front_address and port) over HTTP as the front door does: from the
    pod's front address, or from SOURCE. Returns (status, body); status 0: no answer."""
    words = ["curl", "-sS", "--max-time", str(timeout), "-w", "\n%{http_code}",
             "--interface", source or pod["front_address"], *options]
    if user_token:
        words += ["-H", f"Authorization: Bearer {user_token}"]
    words.append(f"http://{pod['address']}:{pod['port']}{path}")
    body, _, status = machine.run(shlex.join(words), timeout=timeout + 60).stdout.rpartition("\n")
    return int(status or 0), body


def evidence(generation):
    """What is known of an end, of one of the "generations" that podctl status shows."""
    found = generation["evidence"]
    return found if isinstance(found, dict) else json.loads(found)


def cgroup(machine, unit, file):
    """One file of UNIT's cgroup, e.g. memory.max, stripped; the unit's slice is looked up."""
    return machine.succeed(
        f'cat "/sys/fs/cgroup$(systemctl show -P ControlGroup {unit})/{file}"').strip()


def unit(machine, name, *properties):
    """Properties of a unit as systemd tells them."""
    shown = machine.succeed(f"systemctl show -p {','.join(properties)} {name}")
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def install(machine, *packages):
    """Plain `apt install` from the signed repository that the machine carries."""
    machine.succeed(
        "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install "
        + " ".join(packages or ("podctl",)), timeout=300)


def use_repository(machine, name="repo"):
    """Points apt at /payload/NAME: `repo` holds the package under test, `next` the same as a newer
    version, for upgrades."""
    machine.put("/etc/apt/sources.list.d/podctl.sources", f"""\
Types: deb
URIs: file:/payload/{name}
Suites: stable
Components: main
Signed-By: /payload/{name}/podctl-archive-keyring.gpg
""")
    machine.succeed("apt-get -q update", timeout=120)


#: What systemd says about a podd that a test killed, for `complaints`.
KILLED = (r"code=killed, status=9/KILL", r"Failed with result 'signal'", r"Failed to start podd.service")


def moment(machine):
    """Now, by the machine's clock, for `complaints`. Not a cursor: before systemd 254 journalctl skips the
    first entry after it when it filters."""
    return machine.succeed("date +%s.%6N").strip()


def complaints(machine, since, allowed=()):
    """What podd, and systemd about podd, said since the moment SINCE at level warning or worse, and every
    crash of a program of ours, as lines; without those in which one of the regular expressions ALLOWED is
    found."""
    entries = machine.succeed(
        f"journalctl --sync && journalctl -o json --no-pager --since=@{since} -u podd.service", timeout=120)
    wrong = []
    for entry in map(json.loads, entries.splitlines()):
        text = entry.get("MESSAGE")
        if not isinstance(text, str):
            text = bytes(text or []).decode(errors="replace")
        if int(entry.get("PRIORITY", 6)) <= 4 or "atal error" in text or "Stack dump" in text:
            if not any(re.search(pattern, text) for pattern in allowed):
                wrong.append(f"{entry.get('SYSLOG_IDENTIFIER')}: {text}")
    return wrong


def agrees(machine, timeout=90):
    """Waits until database, systemd and kernel tell the same about every pod and user, and nothing is half
    done (files/audit-host)."""
    problems = [None]

    def none_left():
        audit = machine.run("/payload/files/audit-host")
        problems[0] = f"{audit.stdout}{audit.stderr}".strip()
        return audit.status == 0

    try:
        wait_until(none_left, timeout, interval=1)
    except TimeoutError:
        raise AssertionError(f"still after {timeout} s:\n{problems[0]}") from None

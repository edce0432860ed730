"""Helpers for the cases under cases/.

A case is a function whose name is a sentence. It gets its own booted Machine:

    @case()
    def a_second_provision_changes_nothing(machine): ...

    @case(memory=1024)
    def a_hog_makes_idle_pods_go_first(machine): ...

A case fails by raising an error: `assert`, `machine.succeed`, `wait_until` and `expect` all say what was wrong.
"""

import json
import re
import shlex
import threading
import time
from typing import Callable, NamedTuple

#: The units whose journal is shown when a case fails, unless the case names others.
UNITS = ("podd.service", "pod-*.scope", "pods.slice", "podctl-firewall.service")


class Case(NamedTuple):
    name: str
    run: Callable
    package: bool
    suites: tuple
    once: str
    units: tuple
    prepared: Callable
    options: dict


CASES = []


#: Seconds that the thread's case has spent in `wait_until`.
WAITED = threading.local()


def case(package=True, suites=("12", "13"), once=None, units=UNITS, prepared=None, **options):
    """Declares a case.

    Each case has its own machine, which is restored from the state that was saved after a boot. With `options` of the
    machine (memory=MiB, cpus=N, append="kernel parameters") it is really booted. `package`: podctl is installed.
    `suites`: the Debian releases on which the case runs. `once`: the only one of them on which it runs without --only;
    this suffices for cases that take minutes or depend on neither kernel nor systemd, and have passed on both. `units`:
    the units whose journal is shown when the case fails. `prepared`: a function that is called with the machine before;
    cases with the same one are restored from the machine that it has left."""

    def declare(function):
        name = function.__name__.replace("_", " ")
        CASES.append(Case(name, function, package, tuple(suites), once, tuple(units), prepared, options))
        return function

    return declare


def wait_until(condition, timeout=30, interval=None, what=""):
    """Calls CONDITION until it returns something true, and returns that. After TIMEOUT seconds raises a TimeoutError that
    names WHAT was awaited and the last answer. Without INTERVAL, a pause is a fifth of the time waited, from 0.2 s to 3 s,
    because each call costs an emulated machine much time."""
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
            time.sleep(interval or min(3.0, max(0.2, waited / 5)))
    finally:
        WAITED.seconds = getattr(WAITED, "seconds", 0.0) + time.monotonic() - started


def expect(actual, wanted, what=""):
    """Fails with both values unless they are equal."""
    if actual != wanted:
        raise AssertionError(f"{what or 'value'}: expected {wanted!r}, got {actual!r}")


def podctl(machine, arguments, **options):
    """The decoded output of `podctl --json ARGUMENTS`. A failure raises an error with the output."""
    return json.loads(machine.succeed(f"podctl --json {arguments}", **options))


def pods(machine):
    """The rows of `podctl --json pods`, by the pod's name."""
    return {pod["pod"]: pod for pod in podctl(machine, "pods")}


def recorded(machine, query):
    """The rows of podd's database for QUERY, by column. The query uses a copy, so that it does not disturb podd."""
    rows = machine.succeed(
        "rm -rf /run/recorded && mkdir -m 700 /run/recorded && cp /var/lib/podctl/podctl.db* /run/recorded && "
        f"sqlite3 -json /run/recorded/podctl.db {shlex.quote(query)}")
    return json.loads(rows or "[]")


def token(machine, user):
    """USER's bearer token, read as root from the users file of the user's pod."""
    placed = {each["user"]: each for each in podctl(machine, "users")}[user]
    listed = json.loads(machine.get(f"/run/podctl/pods/{placed['pod']}/users"))
    return {each["user"]: each["token"] for each in listed["users"]}[user]


def refused(machine, command, status, *words, **options):
    """Expects that COMMAND fails as podctl(1) describes: with STATUS, nothing on standard output, and one line on
    standard error, which contains all of WORDS. Returns the line."""
    result = machine.run(command, **options)
    expect(result.status, status, f"exit status of {command} ({result.stderr.strip()})")
    expect(result.stdout, "", f"standard output of {command}")
    expect(result.stderr.count("\n"), 1, f"lines of {result.stderr!r}")
    for word in words:
        assert word in result.stderr, f"{word!r} is not in {result.stderr!r}"
    return result.stderr.strip()


def placement(machine):
    """Everything that a failed call must not change: the placements, the running pods with their main processes, the
    data directories, and the users file of each pod."""
    # podd leaves sizes out of a reply that would take too long.
    volatile = {"memory_current", "memory_anon", "data_bytes"}
    tables, scopes, data, users_files = machine.succeed("""
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
        "tables": tables, "scopes": scopes, "data": data, "users_files": users_files,
        **{rows: [{key: row[key] for key in row if key not in volatile} for row in podctl(machine, rows)]
           for rows in ("users", "pods")},
    }


def curl(machine, pod, path, *options, user_token=None, source=None, timeout=60):
    """Sends a request to POD (anything with address, front_address and port) from the pod's front address, or from
    SOURCE. Returns (status, body); status 0 means no answer."""
    words = ["curl", "-sS", "--max-time", str(timeout), "-w", "\n%{http_code}",
             "--interface", source or pod["front_address"], *options]
    if user_token:
        words += ["-H", f"Authorization: Bearer {user_token}"]
    words.append(f"http://{pod['address']}:{pod['port']}{path}")
    body, _, status = machine.run(shlex.join(words), timeout=timeout + 60).stdout.rpartition("\n")
    return int(status or 0), body


def evidence(generation):
    """The evidence of one of the "generations" that podctl status shows."""
    found = generation["evidence"]
    return found if isinstance(found, dict) else json.loads(found)


def names_an_oom_kill(found, own_limit):
    """Whether the evidence of an end has a kill by the OOM killer, and whether for the pod's own limit. systemd may have
    removed the cgroup before podd read its counters; then only the slice's counters show the kill."""
    by_slice = found["counters_lost"] and found["killed_in_slice"] is True and found["own_limit_in_slice"] is own_limit
    if by_slice and own_limit:
        return True
    return (found["oom_kills"] >= 1 or by_slice) and (found["own_limit_ooms"] >= 1) == own_limit


def cgroup(machine, unit, file):
    """The stripped content of a file of UNIT's cgroup, e.g. memory.max."""
    return machine.succeed(
        f'cat "/sys/fs/cgroup$(systemctl show -P ControlGroup {unit})/{file}"').strip()


def unit(machine, name, *properties):
    """Properties of a unit, as systemd reports them."""
    shown = machine.succeed(f"systemctl show -p {','.join(properties)} {name}")
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def install(machine, *packages):
    """Installs packages with apt from the signed repository in the machine."""
    machine.succeed(
        "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install "
        + " ".join(packages or ("podctl",)), timeout=300)


def use_repository(machine, name="repo"):
    """Makes apt use /payload/NAME: `repo` has the package under test, `next` the same package with a newer version, for
    upgrades."""
    machine.put("/etc/apt/sources.list.d/podctl.sources", f"""\
Types: deb
URIs: file:/payload/{name}
Suites: stable
Components: main
Signed-By: /payload/{name}/podctl-archive-keyring.gpg
""")
    machine.succeed("apt-get -q update", timeout=120)


#: systemd's messages about a podd that a test has killed, for `complaints`.
KILLED = (r"code=killed, status=9/KILL", r"Failed with result 'signal'", r"Failed to start podd.service")


def moment(machine):
    """The time of the machine's clock, for `complaints`. Not a cursor, because before systemd 254 journalctl with a
    filter skips the first entry after the cursor."""
    return machine.succeed("date +%s.%6N").strip()


def complaints(machine, since, allowed=()):
    """The journal lines of podd, and of systemd about podd, since the moment SINCE with priority warning or worse, and
    every crash of podctl's programs; without lines that match one of the regular expressions ALLOWED."""
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


def agrees(machine, timeout=90, clock_was_set=False):
    """Waits until the database, systemd and the kernel agree about every pod and user, and nothing is half done
    (files/audit-host). `clock_was_set`: an end may be on record with an earlier time than its beginning."""
    problems = [None]

    def none_left():
        audit = machine.run("/payload/files/audit-host" + " --clock-was-set" * clock_was_set)
        problems[0] = f"{audit.stdout}{audit.stderr}".strip()
        return audit.status == 0

    try:
        wait_until(none_left, timeout, interval=1)
    except TimeoutError:
        raise AssertionError(f"still after {timeout} s:\n{problems[0]}") from None

"""The memory history that podd keeps, the leak detector on traces, and podctl top."""

import math
import random

from podctl_testing import case, cgroup, complaints, expect, moment, podctl, pods, refused, wait_until

ALICE, BOB = "alice@example.com", "bob@example.com"
DATABASE = "/var/lib/podctl/history.db"
SET_ASIDE = "94defd2068b8417e876c3b68c64e24a6"


HEADER = "time_s,anon,swap,file,current,active_users"
LIMIT = 96 << 20


def settling(hour, to, hours):
    return to * (1 - math.exp(-hour / hours))


#: Percent of the limit in use, by the hour of twelve; none of these is a leak.
HEALTHY = {
    "warm-up": lambda hour: 15 + settling(hour, 50, 0.4),
    "cache at nine tenths": lambda hour: min(12 + 78 * hour / 3, 90),
    "cache that slows down": lambda hour: settling(hour, 89, 2),
    "heap at its ceiling": lambda hour: settling(hour, 93, 0.1),
    "collector": lambda hour: 30 + 45 * (hour / 0.7 % 1),
    "day": lambda hour: 45 + 30 * math.sin(hour / 12 * 2 * math.pi),
    "jump": lambda hour: 30 if hour < 6 else 70,
    "fragments": lambda hour: 40 + 9 * math.log1p(hour),
    "hourly job": lambda hour: 40 + (35 if hour % 1 < 0.1 else 0),
    "users": lambda hour: 20 + 5 * min(int(hour), 10),
}


def trace(percent, *, users=lambda hour: 5, file=lambda hour: 4):
    """A trace of twelve hours with a sample every ten seconds, with noise."""
    noise = random.Random(12)
    lines = [HEADER]
    for index in range(4320):
        hour = index / 360
        held = int(LIMIT * max(percent(hour) + noise.gauss(0, 0.2), 1) / 100)
        cache = int(LIMIT * file(hour) / 100)
        lines.append(f"{index * 10},{held},0,{cache},{held + cache},{users(hour)}")
    return "\n".join(lines) + "\n"


# A replay is arithmetic on a file: it asks neither systemd nor the kernel for anything.
@case(once="12")
def twelve_hours_of_what_is_healthy_are_left_alone_and_a_leak_is_not(machine):
    def verdict(name, text):
        machine.put("/root/trace.csv", text)
        said = podctl(machine, "leak-replay /root/trace.csv --memory-max 96M", timeout=120)
        return said["verdict"], f"{name}: {said['reason']}"

    for name, percent in HEALTHY.items():
        users = {"users": (lambda hour: min(int(hour), 10) + 2)} if name == "users" else {}
        said, why = verdict(name, trace(percent, **users))
        expect(said, "ok", why)
    said, why = verdict("page cache", trace(lambda hour: 25, file=lambda hour: min(9 * hour, 70)))
    expect(said, "ok", why)
    said, why = verdict("leak", trace(lambda hour: 20 + 6.6 * hour))
    expect(said, "leak", why)


#: Errors in a trace, and podctl's message.
BROKEN = {
    "text": (f"{HEADER}\n0,1,2,3,4,5\n10,many,2,3,4,5\n", "trace.csv:3: anon"),
    "a column that is missing": ("time_s,anon,file,current,active_users\n0,1,3,4,5\n", "trace.csv:1: missing column swap"),
    "a field that is missing": (f"{HEADER}\n0,1,2,3,4\n", "trace.csv:2: 5 fields"),
    "time that runs backwards": (f"{HEADER}\n10,1,2,3,4,5\n9,1,2,3,4,5\n", "trace.csv:3: time_s runs backwards"),
    "a negative number": (f"{HEADER}\n0,1,-2,3,4,5\n", "trace.csv:2: swap"),
    "a number that is too large": (f"{HEADER}\n0,99999999999999999999,2,3,4,5\n", "trace.csv:2: anon"),
    "nothing": ("", "trace.csv:1: the header is missing"),
    "no samples": (f"{HEADER}\n", "no samples"),
    "no text at all": (bytes(range(256)) * 40, "trace.csv:1"),
}


@case(once="13")
def a_trace_that_is_none_is_refused_with_its_line_and_a_long_one_is_read(machine):
    for text, message in BROKEN.values():
        machine.put("/root/trace.csv", text)
        refused(machine, "podctl leak-replay /root/trace.csv --memory-max 96M", 64, message)
    machine.succeed(f"""awk 'BEGIN {{
        print "{HEADER}"
        for (row = 0; row < 1000000; row++) print row * 10 "," 40000000 + row % 7 * 1000 ",0,0,50000000,5"
    }}' > /root/trace.csv""", timeout=300)
    # podctl's memory does not depend on the length of the trace.
    said = machine.run("bash -c 'ulimit -v 400000; exec podctl --json leak-replay /root/trace.csv --memory-max 96M'",
                       timeout=300)
    expect(said.status, 0, said.stderr)
    assert '"verdict":"ok"' in said.stdout.replace(" ", ""), said.stdout


def at_the_end_of_a_minute(machine, offset="0 seconds"):
    """Sets the clock to the end of a minute, so that the case need not wait a minute for the timer that podd arms with
    the first sample."""
    machine.succeed(f"date -s \"$(date -d '{offset}' '+%F %H:%M'):40\"")


def rows(machine, pod="pod-001"):
    return podctl(machine, f"history {pod} --since @0 --all-generations")


@case(once="13")
def the_minutes_of_a_pod_are_kept_and_nothing_else_suffers_when_they_cannot_be(machine):
    machine.put("/etc/podctl/podd.conf.d/50-history.conf", "[Podd]\nMemorySampleSec=1s\n")
    machine.succeed("systemctl stop podd.service")
    at_the_end_of_a_minute(machine)
    machine.succeed("systemctl start podd.service")
    podctl(machine, f"provision {ALICE}")
    podctl(machine, f"provision {BOB} --tier pro --cold")
    expect(rows(machine, "pod-002"), [])
    refused(machine, "podctl history pod-009", 1, "pod-009")
    refused(machine, "podctl history --csv pod-002", 1, "pod-002")

    first = wait_until(lambda: rows(machine), 120, what="the first minute")[0]
    unit = pods(machine)["pod-001"]["unit"]
    expect(first["generation"], 1)
    assert 0 < first["anon"] <= first["current"] <= first["current_max"] < 96 << 20, first
    assert first["anon"] < 2 * int(cgroup(machine, unit, "memory.current")), first
    assert 0 < first["cpu_seconds"] < 120, first
    expect(machine.succeed(f"stat -c %a {DATABASE}").strip(), "600")
    expect(machine.succeed("ls /proc/$(systemctl show -P MainPID podd.service)/task | wc -l").strip(), "1")

    # Adds a slow leak over days to the database, as if podd had recorded it.
    machine.succeed("systemctl stop podd.service")
    machine.succeed(f"""sqlite3 {DATABASE} "
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        INSERT INTO recent SELECT unixepoch() / 60 - 5000 + i, 2, 1, 10485760 + 16384 * i, 0, 2097152,
            13631488 + 16384 * i, 14680064 + 16384 * i, 20, 0, 0, 50000 FROM n" """)
    # Killing podd loses nothing that was written.
    machine.succeed("systemctl start podd.service && systemctl kill -s KILL podd.service && systemctl start podd.service")
    machine.succeed("podctl history pod-002 --csv > /root/trace.csv")
    trace = machine.get("/root/trace.csv").decode().splitlines()
    expect((len(trace), trace[0]), (5001, "time_s,anon,swap,file,current,active_users"))
    expect(trace[-1], f"{4999 * 60},{10485760 + 16384 * 5000},0,2097152,{13631488 + 16384 * 5000},20")
    verdict = podctl(machine, "leak-replay /root/trace.csv --memory-max 96M")
    expect(verdict["verdict"], "leak")
    assert abs(verdict["slope_bytes_per_second"] / (16384 / 60) - 1) < 0.05, verdict
    trend = podctl(machine, "explain pod-002")["memory_trend"]["day"]
    assert abs(trend["bytes_per_hour"] / (16384 * 60) - 1) < 0.05, trend
    assert "an hour" in machine.succeed("podctl status pod-002")
    table = machine.succeed("podctl history pod-002 --since yesterday").splitlines()
    assert table[0].split()[:3] == ["TIME", "GEN", "HELD"] and 10 < len(table) < 100, table

    # A damaged file, and a clock that is set forward.
    machine.succeed(f"systemctl stop podd.service && dd if=/dev/urandom of={DATABASE} bs=4k count=20 conv=notrunc")
    at_the_end_of_a_minute(machine, "+1 hour")
    since = moment(machine)
    machine.succeed("systemctl start podd.service")
    expect(rows(machine), [])
    machine.succeed(f"test -e {DATABASE}.aside")
    expect(len(machine.succeed(f"journalctl -q -o cat MESSAGE_ID={SET_ASIDE}").splitlines()), 1)
    later = wait_until(lambda: rows(machine), 120, what="a minute in the new file")[0]
    assert later["time"] > first["time"] and later["generation"] == 1, later
    expect(complaints(machine, since, ("begun again",)), [])

    # A full disk stops the history, but no placement is lost.
    machine.succeed("systemctl stop podd.service")
    free = int(machine.succeed("df --output=avail -k /var/lib/podctl | tail -1"))
    machine.succeed(f"fallocate -l {free - 30_000}K /var/lib/filler")
    at_the_end_of_a_minute(machine, "+1 minute")
    machine.succeed("systemctl start podd.service")
    wait_until(lambda: complaints(machine, since, ("begun again",)), 120, what="the warning")
    logged = complaints(machine, since, ("begun again",))
    assert len(logged) == 1 and "not recorded" in logged[0] and DATABASE in logged[0], logged
    expect(podctl(machine, f"provision {BOB}")["state"], "ready")
    machine.succeed("rm /var/lib/filler && systemctl stop podd.service")
    before = len(rows(machine))
    at_the_end_of_a_minute(machine, "+1 minute")
    wait_until(lambda: len(rows(machine)) > before, 120, what="a new minute after the disk has room again")
    expect(pods(machine)["pod-001"]["generation"], 1)


@case(once="12")
def top_shows_what_pods_use_and_gives_the_terminal_back(machine):
    for number in range(5):
        podctl(machine, f"provision user{number} --tier enterprise")
    screen = machine.run("python3 /payload/files/at-a-terminal 5", timeout=600)
    expect((screen.status, screen.stdout + screen.stderr), (0, ""), "at a terminal")

    tables = machine.succeed("podctl top -b -n 2 -d 1 --order name", timeout=120)
    expect(tables.count("POD "), 2, tables)
    expect("\x1b" in tables, False)
    lines = [line.split() for line in tables.splitlines() if line.startswith("pod-")]
    expect([line[0] for line in lines], [f"pod-00{number}" for number in range(1, 6)] * 2)
    assert all(line[8].endswith("%") for line in lines), tables
    expect(machine.succeed("podctl top").count("POD "), 1)
    usage = podctl(machine, "top --order users")
    expect({each["state"] for each in usage}, {"ready"})
    assert all(0 < each["memory_current"] < each["memory_max"] and each["cpu_seconds"] > 0 for each in usage), usage

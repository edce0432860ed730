"""Leaks and stalls are found in time, reported with figures, and cured without a failed request."""

import json

from loading import PROGRAMS, Load, invariants_hold, put_programs, targets
from podctl_testing import agrees, case, cgroup, complaints, curl, expect, moment, podctl, recorded, wait_until

PODD = """\
[Podd]
MemorySampleSec=1s
StallTimeoutSec={stall}
LeakRecyclesPerHour=1000
StartLimitBurst=1000
"""

WORKLOAD = f"""\
[Workload]
ExecStart=/usr/bin/python3 -ES {PROGRAMS}/leaking
Type=notify
Listen=socket
Overlap=yes
TimeoutStartSec=60s
TimeoutStopSec=15s
"""


def tier(machine, name, memory, further=""):
    machine.put(f"/etc/podctl/tiers/{name}.conf", f"[Tier]\nWorkload=leaking\nUsersPerPod=1\n{memory}\n{further}\n")


def settings(machine, stall="1h"):
    put_programs(machine, "leaking")
    machine.put("/etc/podctl/workloads/leaking.conf", WORKLOAD)
    machine.put("/etc/podctl/podd.conf.d/50-memory.conf", PODD.format(stall=stall))
    machine.succeed("systemctl reload podd.service")


def tell(machine, place, path):
    expect(curl(machine, place, path), (200, "fine\n"), path)


def last_end(machine, pod):
    """The latest generation of POD that has ended, from podctl explain; None before the first end."""
    ended = [each for each in podctl(machine, f"explain {pod}")["generations"] if each["ended"]]
    return ended[0] if ended else None


def entries(machine, since, reason=None, **fields):
    """podd's journal entries since a moment, decoded."""
    matches = " ".join(f"{name}={value}" for name, value in fields.items())
    text = machine.succeed(f"journalctl -o json --no-pager --since=@{since} -u podd.service {matches}", timeout=120)
    return [json.loads(line) for line in text.splitlines()]


LEAK_RECYCLED = "d318ee73f258453dab5e4eea40e8ccf6"
STALLS = "cb09c5fc2deb44d38045973c11ad623a"
STALL_TREATED = "e001099fbc63458593d9862d30bf1be6"


@case(once="13")
def a_leak_is_cured_before_it_is_felt_and_without_podctl_it_ends_in_a_kill(machine):
    settings(machine)
    tier(machine, "leaky", "MemoryMax=128M\nMemoryHigh=infinity")
    tier(machine, "blind", "MemoryMax=128M\nMemoryHigh=infinity", "LeakAction=none")
    since = moment(machine)
    users = "\n".join(f"u{number} leaky" for number in range(1, 21)) + "\nwitness blind\n"
    machine.put("/root/users", users)
    machine.succeed("podctl provision --from-file /root/users", timeout=900)
    places = [podctl(machine, f"provision u{number}") for number in range(1, 21)]
    leaking, blind = places[0], podctl(machine, "provision witness")
    with Load(machine, targets(machine, places[:4], path="/", tokens=False), "--connections", "4", "--pause", 0.05) as load:
        load.goes_on()
        # The detector compares a leak with the level before it.
        wait_until(lambda: podctl(machine, f"status {leaking['pod']}")["leak_verdict"] == "none", 60)
        tell(machine, leaking, "/leak/1024")
        tell(machine, blind, "/leak/1024")
        cured = wait_until(lambda: last_end(machine, leaking["pod"]), 300, what="the end of the leaking pod")
        load.goes_on()
    load.lost_nothing()
    expect(cured["reason"], "leak", "why the leaking pod was replaced")
    evidence = cured["evidence"]
    expect((evidence["memory_max_events"], evidence["oom_kills"]), (0, 0), "what memory.events had counted")
    leak = evidence["leak"]
    assert leak["slope_low"] <= leak["slope"] <= leak["slope_high"], leak
    assert 300 << 10 < leak["slope"] < 3 << 20, f"1 MB a second was reported as {leak['slope']} bytes a second"
    assert 0 < leak["time_to_limit_seconds"] < 200 and leak["memory"] < leak["limit"] == 128 << 20, leak
    assert leak["reason"] in machine.succeed(f"podctl explain {leaking['pod']}"), "explain does not say why"
    logged = entries(machine, since, MESSAGE_ID=LEAK_RECYCLED)
    expect([entry["POD"] for entry in logged], [leaking["pod"]], "who was recycled for a leak")
    for field in ("SLOPE", "SLOPE_LOW", "SLOPE_HIGH", "TIME_TO_LIMIT_USEC", "MEMORY", "LIMIT"):
        assert int(logged[0][f"POD_LEAK_{field}"]) > 0, field
    print(f"recycled with {100 - 100 * leak['memory'] // leak['limit']} % of the limit free: {leak['reason']}")
    # The neighbours were not replaced, and the leaking pod without a leak action met its limit.
    killed = wait_until(lambda: last_end(machine, blind["pod"]), 300, what="the end of the pod without a leak action")
    expect(killed["reason"], "oom-own-limit", "the end without the detector")
    assert killed["evidence"]["memory_max_events"] > 0, killed
    # The end was recorded before the next launch; this needs the database, because explain shows whole seconds.
    order = wait_until(lambda: recorded(machine, f"""
        SELECT first.reason, first.ended_at <= second.begun_at AS in_time FROM generation first
        JOIN generation second ON second.pod = first.pod AND second.generation = first.generation + 1
        WHERE first.unit = '{killed['unit']}'"""), 60, what="the next generation on record")
    expect(order, [{"reason": "oom-own-limit", "in_time": 1}], "the end's reason, and whether it was on record before the next launch")
    for place in places[1:]:
        expect(last_end(machine, place["pod"]), None, f"ends of {place['pod']}, which does not leak")
    expect(complaints(machine, since, allowed=(rf"{blind['pod']}-1.scope ended: oom-own-limit",)), [])
    agrees(machine)


@case(once="12")
def a_pod_that_stalls_at_its_memory_limit_is_replaced(machine):
    settings(machine, stall="8s")
    tier(machine, "narrow", "MemoryMax=256M\nMemoryHigh=40M", "LeakAction=none")
    since = moment(machine)
    place = podctl(machine, "provision alice --tier narrow", timeout=180)
    first = place["unit"]
    tell(machine, place, "/stall")
    ended = wait_until(lambda: last_end(machine, place["pod"]), 180, what="the end of the stalling pod")
    expect((ended["unit"], ended["reason"]), (first, "pressure"), "what ended, and why")
    assert ended["evidence"]["stalled_seconds"] >= 8, ended["evidence"]
    assert ended["evidence"]["memory_high_events"] > 0 and ended["evidence"]["oom_kills"] == 0, ended["evidence"]
    noticed, treated = (entries(machine, since, MESSAGE_ID=each) for each in (STALLS, STALL_TREATED))
    expect((len(noticed), len(treated)), (1, 1), "entries on the stall and its cure")
    assert int(treated[0]["POD_STALL_PERCENT"]) >= 20 and int(treated[0]["POD_MEMORY_LIMIT"]) == 40 << 20, treated
    now = podctl(machine, f"status {place['pod']}")
    expect((now["state"], now["generation"], now["restarts"]), ("ready", 2, 0), "the pod afterwards")
    # At the second stall the timeout is twice as long; status and the journal say so.
    tell(machine, now, "/stall")
    wait_until(lambda: len(entries(machine, since, MESSAGE_ID=STALLS)) == 2, 120, what="the second stall noticed")
    assert "after 16 s" in entries(machine, since, MESSAGE_ID=STALLS)[1]["MESSAGE"]
    expect(machine.succeed("ps -eLo comm= | grep -c psimon || true").strip(), machine.succeed(
        "systemctl stop podd.service 'pod-*.scope'; ps -eLo comm= | grep -c psimon || true").strip(),
        "kernel threads for pressure, with and without pods")
    machine.succeed("systemctl start podd.service")


@case(memory=3072, once="13")
def a_hundred_pods_whose_events_come_at_once_cost_podd_next_to_nothing(machine):
    machine.put("/etc/podctl/podd.conf.d/50-memory.conf", PODD.format(stall="10s"))
    machine.put("/etc/podctl/tiers/small.conf", "[Tier]\nUsersPerPod=1\nMemoryMax=64M\n")
    machine.succeed("systemctl reload podd.service")
    machine.put("/root/users", "".join(f"u{number} small\n" for number in range(1, 101)))
    machine.succeed("podctl provision --from-file /root/users", timeout=1800)
    places = [place for place in podctl(machine, "pods")]
    since = moment(machine)
    main = machine.succeed("systemctl show -P MainPID podd.service").strip()
    # All pods get too little memory at once and cannot answer.
    with Load(machine, targets(machine, places, path="/", tokens=False), "--connections", "100", "--timeout", "100"):
        machine.succeed("for high in /sys/fs/cgroup/pods.slice/pods-small.slice/pod-*/memory.high; do echo 256K > $high & done; wait",
                        timeout=600)
        treated = wait_until(lambda: entries(machine, since, MESSAGE_ID=STALL_TREATED), 300, 2,
                             what="the first cure of a stall")
        resident = int(machine.succeed(f"awk '/^VmRSS/ {{ print $2 }}' /proc/{main}/status"))
    rounds = {}
    for entry in entries(machine, since, MESSAGE_ID=STALL_TREATED):
        rounds.setdefault(int(entry["_SOURCE_REALTIME_TIMESTAMP"]) // 500_000, []).append(int(entry["POD_STALL_PERCENT"]))
    for shares in rounds.values():
        expect(shares, sorted(shares, reverse=True), "shares of time stalled, in the order of the cures")
    print(f"{len(treated)} cured first; podd has {resident} kB resident")
    assert resident < 17_500 + 16 * len(places), f"podd has {resident} kB resident with {len(places)} pods"
    # The background threads that wait for the disk or the kernel end.
    wait_until(lambda: machine.succeed(f"ls /proc/{main}/task").split() == [main], 60, what="one thread again")

"""A reload reads every settings file, also those that nobody uses yet, and names each mistake in them: in the journal,
in podd's status line, in podctl doctor and podctl tiers. What served before goes on with its previous settings."""

import json

from podctl_testing import case, cgroup, expect, moment, podctl, pods, refused, unit, wait_until

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
SETTINGS_ERROR = "f89c24262263486f8c036e7dd0ea8d66"

#: Files with mistakes, as the place below /etc/podctl, the text, and the lines and keys of its mistakes.
BROKEN = (
    # A tier that served before.
    ("tiers/free.conf.d/50-mine.conf", "[Tier]\nMemoryMax=plenty\n", (("2", "MemoryMax"),)),
    # A tier that nobody uses, and that never parsed.
    ("tiers/gold.conf", "[Tier]\nMemoryMaximum=1G\n\nUsersPerPod=0\n", (("2", "MemoryMaximum"), ("4", "UsersPerPod"))),
    # The workload of all tiers, and one that no tier names.
    ("workloads/podserve.conf.d/50-mine.conf", "[Workload]\nFrobnicate=yes\n", (("2", "Frobnicate"),)),
    ("workloads/unused.conf", "[Workload]\nExecStart=true\n", (("2", "ExecStart"),)),
)
FIXED = {
    "tiers/free.conf.d/50-mine.conf": "[Tier]\nMemoryMax=90M\n",
    "tiers/gold.conf": "[Tier]\nMemoryMax=1G\nUsersPerPod=1\n",
    "workloads/podserve.conf.d/50-mine.conf": "[Workload]\nTimeoutStopSec=20s\n",
    "workloads/unused.conf": "[Workload]\nExecStart=/bin/true\n",
}
MISTAKES = [(f"/etc/podctl/{place}", line, key) for place, _, mistakes in BROKEN for line, key in mistakes]


def entries(machine, since):
    """Where the mistakes are that podd has logged since the moment SINCE, in the order of the journal."""
    text = machine.succeed("journalctl --sync && journalctl -o json --no-pager "
                           f"--since=@{since} MESSAGE_ID={SETTINGS_ERROR} _UID=0", timeout=120)
    found = [json.loads(line) for line in text.splitlines()]
    # Entries about a launch that failed have the pod's name.
    return [tuple(entry.get(f"CONFIG_{field}") for field in ("FILE", "LINE", "KEY"))
            for entry in found if "POD" not in entry]


def findings(machine):
    """What podctl doctor finds in settings files, and its exit status."""
    result = machine.run("podctl --json doctor")
    checks = json.loads(result.stdout)["checks"]
    found = [check for check in checks if check["id"] == "settings" and check["status"] != "ok"]
    assert all(check["status"] == "fatal" and check["mend"] for check in found), found
    return [check["what"] for check in found], result.status


def status_line(machine):
    return unit(machine, "podd.service", "StatusText")["StatusText"]


def killed_and_launched_again(machine, name):
    """Kills the main process of a pod; returns memory.max of its next generation, in MiB."""
    before = pods(machine)[name]
    machine.succeed(f"kill -KILL {before['main_pid']}")

    def next_generation():
        now = pods(machine)[name]
        return now if now["state"] == "ready" and now["generation"] > before["generation"] else None

    now = wait_until(next_generation, 60, what=f"{name} is launched again")
    return int(cgroup(machine, now["unit"], "memory.max")) >> 20


@case(once="12")
def a_reload_names_every_mistake_and_what_served_goes_on_as_before(machine):
    podctl(machine, f"provision {ALICE}")
    expect(status_line(machine), "1 pod")
    for place, text, _ in BROKEN:
        machine.put(f"/etc/podctl/{place}", text)
    # doctor reads the files itself: it finds what a reload would find.
    what, status = findings(machine)
    expect((len(what), status), (len(MISTAKES), 1))

    since = moment(machine)
    machine.succeed("systemctl reload podd.service")
    expect(entries(machine, since), MISTAKES, "the mistakes in the journal")
    expect(status_line(machine), f"1 pod; {len(MISTAKES)} mistakes in settings files, see podctl doctor")
    assert status_line(machine) in machine.succeed("systemctl status podd.service"), "systemctl status shows it"
    what, status = findings(machine)
    expect(status, 1)
    for (file, line, key), text in zip(MISTAKES, what, strict=True):
        assert text.startswith(f"{file}:{line}: {key}=: "), text

    tiers = {tier["tier"]: tier for tier in podctl(machine, "tiers")}
    assert tiers["free"]["mistake"].startswith(f"{MISTAKES[0][0]}:2: MemoryMax="), tiers["free"]
    expect(tiers["free"]["memory_max"], 96 << 20, "the limit in force")
    expect([tiers["gold"][key] for key in ("users_per_pod", "workload", "memory_max", "pods")], [None, None, None, 0])
    expect(tiers["gold"]["mistake"].count("\n"), 1, "line ends in the two mistakes of gold")
    # Its workload's mistake is a tier's as well.
    assert "Frobnicate=" in tiers["basic"]["mistake"], tiers["basic"]
    table = machine.succeed("podctl tiers")
    for file, line, key in MISTAKES:
        assert f"\n{file}:{line}: {key}=: " in table, table
    expect(len(machine.succeed("podctl tiers --no-legend").splitlines()), len(tiers))

    # The previous settings of the tier and of its workload.
    expect(killed_and_launched_again(machine, "pod-001"), 96)
    expect(podctl(machine, f"provision --tier free {BOB}")["pod"], "pod-001")
    # A rollout is to apply what the files say.
    refused(machine, "podctl rollout --tier free", 1, "/etc/podctl/tiers/free.conf.d/50-mine.conf:2", "MemoryMax=")
    refused(machine, f"podctl provision --tier gold {CAROL}", 1, "/etc/podctl/tiers/gold.conf:2", "MemoryMaximum")

    # Once fixed, a file is in force without another reload, as after any change.
    for place, text in FIXED.items():
        machine.put(f"/etc/podctl/{place}", text)
    expect(killed_and_launched_again(machine, "pod-001"), 90)
    expect(podctl(machine, f"provision --tier gold {CAROL}")["tier"], "gold")
    since = moment(machine)
    machine.succeed("systemctl reload podd.service")
    expect(entries(machine, since), [])
    expect(status_line(machine), "2 pods")
    expect(findings(machine)[0], [])
    expect({tier["mistake"] for tier in podctl(machine, "tiers")}, {None})


@case(once="12")
def a_tier_that_does_not_parse_when_podd_starts_is_named_and_its_pods_run_on(machine):
    podctl(machine, f"provision {ALICE}")
    before = pods(machine)["pod-001"]
    file = "/etc/podctl/tiers/free.conf"
    machine.put(file, "[Tier]\nUsersPerPod=20\nWorkload=pod-serve\n")
    since = moment(machine)
    machine.succeed("systemctl restart podd.service")
    expect(entries(machine, since), [(file, "3", "Workload")])
    expect(status_line(machine), "1 pod; 1 mistake in settings files, see podctl doctor")
    now = pods(machine)["pod-001"]
    expect((now["main_pid"], now["state"]), (before["main_pid"], "ready"))
    # There is no previous policy: nothing is launched, and the tier is listed with what is known.
    refused(machine, "podctl restart pod-001", 1, f"{file}:3", "Workload=")
    refused(machine, f"podctl provision --tier free {BOB}", 1, f"{file}:3")
    free, = [tier for tier in podctl(machine, "tiers") if tier["tier"] == "free"]
    expect([free[key] for key in ("users_per_pod", "workload", "pods", "users")], [None, None, 1, 1])
    assert free["mistake"].startswith(f"{file}:3: Workload="), free

    # A mistake in podd's own settings fails the reload, and hides no other.
    machine.put("/etc/podctl/podd.conf.d/10-mine.conf", "[Podd]\nDefaultTeir=basic\n")
    since = moment(machine)
    assert machine.run("systemctl reload podd.service").status != 0, "the reload succeeded"
    expect(entries(machine, since), [("/etc/podctl/podd.conf.d/10-mine.conf", "2", "DefaultTeir"), (file, "3", "Workload")])
    expect(status_line(machine), "1 pod; 2 mistakes in settings files, see podctl doctor")

    machine.succeed(f"rm {file} /etc/podctl/podd.conf.d/10-mine.conf; systemctl reload podd.service")
    expect(status_line(machine), "1 pod")
    expect(podctl(machine, f"provision --tier free {BOB}")["pod"], "pod-001")
    expect(podctl(machine, "restart pod-001")["state"], "ready")

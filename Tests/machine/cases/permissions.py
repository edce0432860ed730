"""Only root and members of the group podctl may use podd, through podctl and through D-Bus."""

import json
import signal

from podctl_testing import case, expect, placement, podctl, recorded, refused, wait_until

ALICE = "alice@example.com"
ACCESS_DENIED = "45323b26edf444e09b6c45f6facd42be"
BUSCTL = "busctl --json=short call org.podctl1 /org/podctl1 org.podctl1.Manager"

#: Every verb that calls podd, and every method, with its polkit action.
VERBS = {
    f"provision {ALICE}": "provision", "provision bob@example.com --tier pro --cold": "provision",
    f"deprovision {ALICE}": "deprovision", f"deprovision --purge {ALICE}": "deprovision",
    f"suspend {ALICE}": "suspend", f"resume {ALICE}": "suspend",
    "users": "view", "pods": "view", "tiers": "view", "status": "view", "status pod-001": "view",
    f"status {ALICE}": "view", f"logs {ALICE}": "view", "start pod-001": "manage-pods",
    "stop pod-001": "manage-pods", "restart pod-001": "manage-pods", "reset pod-001": "manage-pods",
    "recycle pod-001": "manage-pods", "recycle --dry-run pod-001": "manage-pods", "evict pod-001": "manage-pods",
    "freeze pod-001": "manage-pods", "thaw pod-001": "manage-pods", "wake pod-001": "manage-pods",
    "rollout --tier free": "manage-pods", "explain pod-001": "view", "doctor --invariants": "view",
    "history pod-001": "view", "top": "view", "metrics": "metrics",
}
METHODS = {
    "Provision ssb bob@example.com '' true": "provision", f"Deprovision sb {ALICE} true": "deprovision",
    "ListPods": "view", "ListUsers": "view", "ListLastUse": "view", "ListTiers": "view", "GetPod s pod-001": "view",
    f"GetUser s {ALICE}": "view", "GetStatus": "view", "StartPod s pod-001": "manage-pods",
    "StopPod s pod-001": "manage-pods", "RestartPod s pod-001": "manage-pods",
    "ResetPod s pod-001": "manage-pods", "Reload": "manage-host",
    "RecyclePod sb pod-001 false": "manage-pods", "EvictPod sb pod-001 false": "manage-pods",
    "FreezePod s pod-001": "manage-pods", "ThawPod s pod-001": "manage-pods", "WakePod s pod-001": "manage-pods",
    "Rollout suts free 0 0 restart": "manage-pods", "CheckInvariants": "view", "AttachFrontDoor": "front-door",
    f"SuspendUser s {ALICE}": "suspend", f"ResumeUser s {ALICE}": "suspend", f"ResolveUser s {ALICE}": "front-door",
    "CloseClientConnections as 1 192.0.2.1:443": "front-door", "FindClientConnections as 1 192.0.2.1:443": "front-door",
    "ReportUse 'a(st)a(st)' 0 0": "front-door", "ReportRequests 'a(stat)' 0": "front-door",
    "AcknowledgeHold t 1": "front-door", "RecordRequest ss here this": "manage-pods", "GetMetrics": "metrics",
    "GetHistory sttu pod-001 0 0 0": "view", "ListUsage": "view", "ListRequests": "view",
}


def denials(machine, since):
    text = machine.succeed(
        f"journalctl --since '{since}' -o json --no-pager MESSAGE_ID={ACCESS_DENIED} _UID=0")
    return [json.loads(line) for line in text.splitlines()]


@case()
def an_ordinary_user_may_not_even_look_and_each_kind_of_try_is_in_the_journal(machine):
    podctl(machine, f"provision {ALICE}")
    machine.succeed("podctl stop pod-001")
    podctl(machine, "provision carol@example.com --tier pro")
    before = placement(machine)
    since = machine.succeed("date '+%F %T.%6N'").strip()
    uid = machine.succeed("id -u visitor").strip()
    for verb in VERBS:
        line = refused(machine, f"podctl {verb}", 77, "podctl: not permitted", user="visitor")
        # No users and no placements are revealed.
        for secret in ("carol", "pod-002", "127.77."):
            assert secret not in line, line
    refused(machine, "podctl --json users", 77, "not permitted", user="visitor")
    for method in METHODS:
        called = machine.run(f"{BUSCTL} {method}", user="visitor")
        assert called.status != 0 and called.stdout == "", (method, called)
        assert "denied" in called.stderr or "uthenti" in called.stderr, (method, called)
    # One entry for each action in ten seconds, which counts the others: nobody may fill the journal with them.
    actions = {f"org.podctl1.{action}" for action in (*VERBS.values(), *METHODS.values())}

    def all_kinds():
        seen = denials(machine, since)
        return {each["POD_ACTION"] for each in seen} >= actions and seen

    tries = wait_until(all_kinds, 60, what=f"denials of {actions} in the journal")
    assert len(tries) < len(VERBS) + len(METHODS), len(tries)
    expect({(each["POD_CALLER_UID"], each["PRIORITY"]) for each in tries}, {(uid, "4")})
    expect({each["POD_ACTION"] for each in tries}, actions)
    expect(placement(machine), before)


#: What dbus-monitor listens to.
SIGNALS = "\"type='signal',sender='org.podctl1'\" \"type='signal',member='NameAcquired'\""


@case()
def a_member_of_group_podctl_may_do_everything_without_a_password(machine):
    machine.succeed("gpasswd --add helper podctl")
    listeners = {user: machine.start(f"exec timeout 300 dbus-monitor --system {SIGNALS}", user=user)
                 for user in ("helper", "visitor")}
    try:
        for each in listeners.values():
            wait_until(lambda: "NameAcquired" in each.stdout, 60, what="somebody listens to the bus")
        placed = json.loads(machine.succeed(f"podctl --json provision {ALICE}", user="helper"))
        expect((placed["pod"], placed["state"]), ("pod-001", "ready"))
        for verb in ("users", "pods", "tiers", "status", "status pod-001", f"status {ALICE}", "stop pod-001",
                     "start pod-001", "restart pod-001", "reset pod-001", f"deprovision {ALICE}"):
            machine.succeed(f"podctl {verb}", user="helper")
        machine.succeed(f"{BUSCTL} Reload", user="helper")
        # The member is not root.
        machine.run("podctl provision ../x", user="helper")
        assert machine.run("cat /var/lib/podctl/podctl.db", user="helper").status != 0
        wait_until(lambda: "PodStateChanged" in listeners["helper"].stdout, 30, what="a member hears podd's signals")
        assert "PodStateChanged" not in listeners["visitor"].stdout, "a stranger hears podd's signals"
    finally:
        for each in listeners.values():
            each.signal(signal.SIGTERM)
        machine.succeed("gpasswd --delete helper podctl")
    refused(machine, "podctl users", 77, user="helper")


@case(once="12")
def who_changed_what_is_in_the_audit_trail(machine):
    podctl(machine, f"provision {ALICE}")
    machine.run(f"podctl deprovision {ALICE}", user="visitor")
    machine.run("podctl provision --tier gold bob@example.com")

    def trail():
        rows = recorded(machine, "SELECT uid, verb, subject, result FROM audit ORDER BY id")
        return [tuple(row.values()) for row in rows]

    # Who may change nothing has no row: it could fill the trail.
    entries = wait_until(lambda: len(found := trail()) >= 2 and found, what="two audit entries")
    expect(entries[0], (0, "Provision", ALICE, "done"))
    expect([entries[1][:-1], len(entries)], [(0, "Provision", "bob@example.com"), 2])


@case()
def an_ordinary_user_may_neither_stop_podd_nor_read_what_is_secret(machine):
    podctl(machine, f"provision {ALICE}")
    took = machine.run("systemctl stop podd.service", user="visitor")
    assert took.status != 0, took
    for path in ("/var/lib/podctl/podctl.db", "/run/podctl/pods/pod-001/users",
                 f"/var/lib/podctl/pods/pod-001/users/{ALICE}"):
        assert machine.run(f"test -r {path}", user="visitor").status != 0, path
    expect(machine.succeed("stat -c '%U %a' /var/lib/podctl/podctl.db").split(), ["root", "600"])

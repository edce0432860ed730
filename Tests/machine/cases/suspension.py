"""A suspended user has no access and keeps place and data; and what podd tells the front door of its users."""

import json

from podctl_testing import case, curl, expect, podctl, pods, recorded, refused, token, wait_until

GATE = "busctl --json=short call org.podctl1 /org/podctl1 org.podctl1.Manager"

#: A template that no user of the pod survives: its program cannot be told.
BROKEN = "{{#users}}"
TEMPLATE = ('{"users":[{{#users}}{"user":"{{{user}}}","token":"{{{token}}}","directory":"{{{directory}}}",'
            '"data_max":null}{{^last}},{{/last}}{{/users}}]}')


@case()
def a_suspended_user_has_no_access_in_any_state_of_the_pod_and_keeps_place_and_data(machine):
    placed = [podctl(machine, f"provision {user}") for user in ("alice", "bob")][0]
    tokens = {user: token(machine, user) for user in ("alice", "bob")}

    def answers(user):
        return curl(machine, placed, "/api/v2/version", user_token=tokens[user])[0]

    def status(user):
        return {row["user"]: row["status"] for row in podctl(machine, "users")}[user]

    expect(curl(machine, placed, "/api/v2/insert?p=x&c=1.1.1/1.1.1/1.1.1&s=kept", user_token=tokens["alice"])[0], 200)
    expect(podctl(machine, "suspend alice"), {"user": "alice", "status": "suspended"})
    expect((answers("alice"), answers("bob"), status("alice")), (401, 200, "suspended"))
    refused(machine, "podctl provision alice", 1, "suspended", "podctl resume alice")
    refused(machine, "podctl suspend nobody", 1, "no user nobody")
    # Twice: nothing happens, and bob's program is left alone.
    before = pods(machine)["pod-001"]
    expect(podctl(machine, "suspend alice")["status"], "suspended")
    expect(pods(machine)["pod-001"]["generation"], before["generation"])
    expect(before["users"], 2, "the place is kept")

    # Back, with another token and the data.
    old = tokens["alice"]
    expect(podctl(machine, "resume alice"), {"user": "alice", "status": "active"})
    tokens["alice"] = token(machine, "alice")
    assert tokens["alice"] != old
    expect(curl(machine, placed, "/api/v2/select?p=x&c=1.1.1/1.1.1/1.1.1", user_token=tokens["alice"]), (200, "kept"))
    expect(curl(machine, placed, "/api/v2/version", user_token=old)[0], 401)
    expect(podctl(machine, "resume alice")["status"], "active")
    expect(token(machine, "alice"), tokens["alice"])

    # Frozen: the program is not asked, and would go on with what it knows when it is thawed.
    machine.succeed("podctl freeze pod-001 && podctl suspend alice")
    expect(pods(machine)["pod-001"]["state"], "frozen")
    expect((answers("alice"), answers("bob")), (401, 200))
    # Resumed while frozen: the first connection finds a program that knows the new token.
    machine.succeed("podctl freeze pod-001 && podctl resume alice")
    tokens["alice"] = token(machine, "alice")
    expect(answers("alice"), 200)

    # podd dies between the record and the program.
    machine.put("/etc/podctl/users.mustache", TEMPLATE)
    machine.put("/etc/podctl/workloads/podserve.conf.d/template.conf",
                "[Workload]\nUsersTemplate=/etc/podctl/users.mustache\n")
    machine.succeed("podctl restart pod-001")
    machine.put("/etc/podctl/users.mustache", BROKEN)
    assert machine.run("podctl suspend alice").status != 0
    machine.succeed("systemctl kill --signal=KILL podd.service")
    machine.put("/etc/podctl/users.mustache", TEMPLATE)
    wait_until(lambda: answers("alice") == 401, 60, what="alice's token is refused")
    expect((answers("bob"), status("alice")), (200, "suspended"))

    # Nobody is left: the pod keeps its place, does not run, and nobody wakes it; also after a restart of podd.
    machine.succeed("podctl suspend bob")
    expect((pods(machine)["pod-001"]["state"], pods(machine)["pod-001"]["users"]), ("cold", 2))
    machine.succeed("systemctl restart podd.service")
    expect((answers("alice"), answers("bob"), pods(machine)["pod-001"]["state"]), (0, 0, "cold"))
    assert "suspended" in podctl(machine, "explain pod-001")["why"]
    # One is back, and wakes it.
    machine.succeed("podctl resume bob")
    expect(pods(machine)["pod-001"]["state"], "cold")
    expect(answers("bob"), 401, "the old token, from a pod that was woken for it")
    tokens["bob"] = token(machine, "bob")
    expect((answers("bob"), answers("alice")), (200, 401))
    # A suspended user is removed as any other, and comes back with the data.
    machine.succeed("podctl deprovision alice && podctl provision alice")
    tokens["alice"] = token(machine, "alice")
    expect(curl(machine, placed, "/api/v2/select?p=x&c=1.1.1/1.1.1/1.1.1", user_token=tokens["alice"]), (200, "kept"))
    calls = [row["verb"] for row in recorded(machine, "SELECT verb FROM audit WHERE subject = 'bob' ORDER BY id")]
    expect(calls, ["Provision", "SuspendUser", "ResumeUser"])
    journal = machine.succeed("journalctl -o cat --no-pager -u podd.service POD_USER=bob")
    assert "bob is suspended" in journal and "bob has access to pod-001 again" in journal, journal


@case()
def the_front_doors_user_learns_what_it_must_know_and_nothing_else(machine):
    machine.put("/etc/podctl/tiers/free.conf.d/limits.conf",
                "[Tier]\nRequestRate=100/min\nRequestBurst=30\nConnectionsMax=64\n")
    machine.put("/etc/podctl/workloads/podserve.conf.d/reserved.conf", "[Workload]\nReservedPaths=/admin /reload\n")
    placed = podctl(machine, "provision alice --cold")

    def resolved(user="alice"):
        return json.loads(machine.succeed(f"{GATE} ResolveUser s {user}", user="podctl-gate"))["data"]

    known = resolved()
    expect(known[:7], ["alice", "active", "pod-001", "cold", placed["address"], placed["front_address"], placed["port"]])
    expect(known[7:9], [recorded(machine, "SELECT token FROM user")[0]["token"], "free"])
    expect(known[10:], [1 << 20, 100, 60_000_000, 30, 64, ["/admin", "/reload"]])
    expect(pods(machine)["pod-001"]["state"], "cold", "to ask launches nothing")
    # A front door is no administrator.
    for call in ("GetUser s alice", "ListUsers", "SuspendUser s alice", "Reload", "StopPod s pod-001"):
        assert machine.run(f"{GATE} {call}", user="podctl-gate").status != 0, call
    nobody = machine.run(f"{GATE} ResolveUser s nobody", user="podctl-gate")
    assert nobody.status != 0 and "no user nobody" in nobody.stderr, nobody
    # Its calls are not in the audit log.
    expect(recorded(machine, "SELECT verb FROM audit WHERE verb = 'ResolveUser'"), [])

    # It hears of every change.
    heard = "/tmp/heard"
    machine.succeed(f"install -o podctl-gate /dev/null {heard}")
    monitor = machine.start(
        "exec dbus-monitor --system \"type='signal',interface='org.podctl1.Manager'\" > " + heard, user="podctl-gate")

    def news():
        return machine.get(heard).decode()

    wait_until(news, 30, what="the monitor")
    machine.succeed("podctl suspend alice")
    wait_until(lambda: "UserChanged" in news() and '"suspended"' in news(), 30,
               what="UserChanged of a suspended user")
    expect((resolved()[1], resolved()[7]), ("suspended", ""))
    machine.succeed("podctl resume alice && podctl deprovision alice")
    wait_until(lambda: '"deleted"' in news(), 30, what="UserChanged of a deleted user")
    assert machine.run(f"{GATE} ResolveUser s alice", user="podctl-gate").status != 0
    # The limits are in force already, and nobody was told. A reload that changes nothing tells nothing.
    machine.succeed("systemctl reload podd.service && systemctl reload podd.service")
    wait_until(lambda: "SettingsChanged" in news(), 30, what="SettingsChanged")
    machine.put("/etc/podctl/tiers/free.conf.d/limits.conf", "[Tier]\nRequestRate=5/s\n")
    machine.succeed("systemctl reload podd.service")
    wait_until(lambda: news().count("SettingsChanged") == 2, 30, what="SettingsChanged, once more")
    monitor.signal(15)
    monitor.wait(30)

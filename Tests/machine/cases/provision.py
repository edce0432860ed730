"""From a user's name to a program that serves them inside its limits."""

import json

from podctl_testing import case, cgroup, curl, expect, placement, podctl, pods, token, unit, wait_until

MIB = 1 << 20

#: memory.max, memory.high, cpu.max, pids.max of the installed tiers (podctl-tier(5)).
LIMITS = {
    "free": (96 * MIB, 64 * MIB, "50000 100000", 640),
    "basic": (256 * MIB, 208 * MIB, "100000 100000", 640),
    "pro": (1024 * MIB, 896 * MIB, "200000 100000", 640),
    "enterprise": (3072 * MIB, 2700 * MIB, "400000 100000", 1024),
}


@case()
def a_pod_of_each_tier_runs_in_a_scope_that_has_exactly_its_tiers_limits(machine):
    for number, (tier, (memory_max, memory_high, cpu_max, pids_max)) in enumerate(LIMITS.items(), 1):
        name = f"pod-{number:03}"
        scope = f"{name}-1.scope"
        # Also compares the keys and their order (podctl-provision(1)).
        expect(list(podctl(machine, f"provision {tier}@example.com --tier {tier}").items()), [
            ("user", f"{tier}@example.com"), ("tier", tier), ("pod", name), ("unit", scope),
            ("address", f"127.77.0.{number}"), ("front_address", f"127.76.0.{number}"),
            ("port", 10000 + number), ("state", "ready"), ("created", True)])
        shown = unit(machine, scope, "ActiveState", "Slice", "ControlGroup")
        expect(shown, {
            "ActiveState": "active", "Slice": f"pods-{tier}.slice",
            "ControlGroup": f"/pods.slice/pods-{tier}.slice/{scope}"})
        for file, limit in (("memory.max", memory_max), ("memory.high", memory_high),
                            ("memory.swap.max", 0), ("cpu.max", cpu_max), ("pids.max", pids_max)):
            expect(cgroup(machine, scope, file), str(limit), f"{file} of {scope}")


@case()
def a_pod_is_one_process_of_a_user_that_is_called_like_the_pod(machine):
    placed = podctl(machine, "provision alice@example.com")
    pid = str(pods(machine)["pod-001"]["main_pid"])
    expect(cgroup(machine, placed["unit"], "cgroup.procs").split(), [pid])
    expect(machine.succeed(f"ps -o user:20=,uid=,gid=,comm= -p {pid}").split(),
           ["pod-001", "1900000001", "1900000001", "podserve"])
    expect(machine.succeed("stat -c '%U %a' /var/lib/podctl/pods/pod-001/users/alice@example.com").split(),
           ["pod-001", "700"])


@case()
def a_user_writes_and_reads_with_their_token_from_the_front_address(machine):
    pod = podctl(machine, "provision alice@example.com")
    podctl(machine, "provision bob@example.com")
    alice, bob = token(machine, "alice@example.com"), token(machine, "bob@example.com")
    where = "p=notes&c=1.1.1/1.1.1/2.3.4"
    expect(curl(machine, pod, f"/api/v2/insert?{where}&s=remember", user_token=alice)[0], 200)
    expect(curl(machine, pod, f"/api/v2/select?{where}", user_token=alice), (200, "remember"))
    # The token alone identifies the user.
    status, body = curl(machine, pod, f"/api/v2/select?{where}", user_token=bob)
    assert "remember" not in body, (status, body)
    expect(curl(machine, pod, f"/api/v2/select?{where}")[0], 401)
    expect(curl(machine, pod, f"/api/v2/select?{where}", user_token="0" * 64)[0], 401)


@case()
def the_journal_tells_what_a_pod_said_and_what_podd_did_to_it_in_one_stream(machine):
    scope = podctl(machine, "provision alice@example.com")["unit"]
    def lines(matches):
        text = machine.succeed(f"journalctl -b -o json --no-pager {matches}")
        return [json.loads(line) for line in text.splitlines()]
    since = machine.succeed("systemctl show -P ActiveEnterTimestamp podd.service").strip()
    own = wait_until(
        lambda: [each for each in lines(f"-u {scope} --since '{since}'")
                 if each.get("SYSLOG_IDENTIFIER") == "pod-001"],
        60, what=f"the pod's output in the journal of {scope}")
    expect({(each["_SYSTEMD_UNIT"], each["_UID"]) for each in own}, {(scope, "1900000001")})
    stream = lines(f"POD=pod-001 --since '{since}'")
    expect({each["SYSLOG_IDENTIFIER"] for each in stream}, {"podd", "pod-001"})
    # The lines are not from podd alone; no pod can forge a line of another pod.
    expect({each["POD"] for each in stream}, {"pod-001"})


@case(once="13")
def a_second_provision_changes_nothing(machine):
    first = podctl(machine, "provision alice@example.com")
    before = placement(machine)
    expect(podctl(machine, "provision alice@example.com"), first | {"created": False})
    expect(podctl(machine, "provision Alice@Example.COM"), first | {"created": False}, "in capitals")
    expect(podctl(machine, "provision --cold alice@example.com"), first | {"created": False}, "cold")
    expect(placement(machine), before)


@case(once="12")
def forty_one_users_of_a_file_fill_two_pods_and_begin_a_third(machine):
    names = [f"user-{number}@example.com" for number in range(1, 42)]
    machine.put("/root/users", "# the first ones\n\n" + "\n".join(names) + " free\n")
    placed = podctl(machine, "provision --from-file /root/users", timeout=300)
    expect([each["user"] for each in placed], names)
    expect([each["pod"] for each in placed], ["pod-001"] * 20 + ["pod-002"] * 20 + ["pod-003"])
    expect({(each["state"], each["created"], each["error"]) for each in placed}, {("ready", True, None)})
    expect([pod["users"] for pod in podctl(machine, "pods")], [20, 20, 1])
    told = json.loads(machine.get("/run/podctl/pods/pod-001/users"))["users"]
    expect([each["user"] for each in told], sorted(names[:20]), "users that pod-001 was told of")
    before = placement(machine)
    again = machine.succeed("podctl provision --from-file - < /root/users", timeout=300)
    expect(again, "41 users: 0 placed, 41 already there.\n")
    expect(placement(machine), before)


@case(once="12")
def a_cold_user_has_a_place_and_no_process_until_asked_for(machine):
    cold = podctl(machine, "provision --cold alice@example.com")
    expect((cold["unit"], cold["state"], cold["created"]), (None, "cold", True))
    expect(machine.succeed("systemctl list-units --no-legend 'pod-*.scope'"), "")
    warm = podctl(machine, "provision alice@example.com")
    expect(warm, cold | {"unit": "pod-001-1.scope", "state": "ready", "created": False})
    expect(curl(machine, warm, "/api/v2/version", user_token=token(machine, "alice@example.com"))[0], 200)

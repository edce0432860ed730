"""podd is killed a hundred times in the middle of operations, under load: no other pod loses a request, and nothing is
left half done."""

import json
import os
import random

from loading import Load, invariants_hold, targets
from podctl_testing import agrees, case, expect, pods, podctl, token, unit, curl, wait_until

#: The verbs during which podd is killed; files/kill-podd draws one each time.
VERBS = (
    "provision", "provision", "provision --cold", "deprovision", "deprovision --purge", "restart", "restart", "stop",
    "start", "start", "recycle", "evict", "freeze", "thaw", "wake", "rollout")

TIMES, BATCHES = 100, 4

TIER = """\
[Tier]
Workload=podserve
UsersPerPod=1
DataMax=1M
MemoryMax=96M
TasksMax=640
CPUQuota=50%
"""

PODD = """\
[Podd]
RestartSec=50ms
RestartMaxDelaySec=500ms
StartLimitBurst=1000
"""


def identities(machine, places):
    """The processes and scopes of pods without an operation, which must be the same before and after."""
    rows = pods(machine)
    return {
        place["pod"]: (rows[place["pod"]]["main_pid"], rows[place["pod"]]["generation"],
                       unit(machine, rows[place["pod"]]["unit"], "InvocationID")["InvocationID"],
                       rows[place["pod"]]["restarts"], rows[place["pod"]]["state"])
        for place in places}


def expected_placements(log, known):
    """The users who must, and who must not, be on record after LOG, according to their last confirmed operation. A user
    whose last operation was not confirmed may be either."""
    sure = dict(known)
    for entry in log:
        verb, user = entry["operation"][:2]
        if verb in ("provision", "deprovision"):
            if entry["status"] == 0:
                sure[user] = verb == "provision"
            elif sure.get(user) != (verb == "provision"):
                # The operation may have been completed before podd died.
                sure.pop(user, None)
    return sure


@case(once="13")
def podd_killed_a_hundred_times_in_the_middle_of_its_work_harms_nobody_else(machine):
    seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
    machine.put("/etc/podctl/tiers/calm.conf", TIER)
    machine.put("/etc/podctl/tiers/busy.conf", TIER)
    machine.put("/etc/podctl/podd.conf.d/patient.conf", PODD)
    machine.succeed("systemctl restart podd.service")
    bystanders = [podctl(machine, f"provision bystander{number} --tier calm", timeout=120) for number in range(3)]
    users = [f"user{number}" for number in range(6)]
    victims = [podctl(machine, f"provision {user} --tier busy", timeout=120) for user in users]
    given = {"users": users, "pods": [place["pod"] for place in victims], "tier": "busy", "verbs": list(VERBS)}
    before = identities(machine, bystanders)
    sure, log = {user: True for user in users}, []
    try:
        with Load(machine, targets(machine, bystanders), "--connections", 6, "--pause", 0.2) as load:
            for batch in range(BATCHES):
                output = machine.succeed(
                    f"/payload/files/kill-podd {seed + batch} {TIMES // BATCHES}", input=json.dumps(given), timeout=500)
                entries = [json.loads(line) for line in output.splitlines()]
                expect([each for each in entries if "problem" in each], [], "ends of podd that nobody asked for")
                log += entries
                sure = expected_placements(entries, sure)
                agrees(machine, 120)
                invariants_hold(machine)
                expect(identities(machine, bystanders), before, "the pods that nobody touched")
                load.goes_on()
                load.lost_nothing()
        load.lost_nothing()
        unexpected = [each for each in log if each["status"] not in (0, 1, 69, 75)]
        expect(unexpected, [], "exit statuses that no killed podd explains")
        assert sum(1 for each in log if each["amid"]) >= TIMES // 4, f"hardly any kill fell into an operation: {log}"
        on_record = {row["user"] for row in podctl(machine, "users") if row["status"] == "active"}
        expect({user: user in on_record for user in sure}, sure, "who is placed")
        everything_still_works(machine, users)
    except Exception as error:
        told = "\n".join(json.dumps(each) for each in log[-8:])
        raise AssertionError(f"seed {seed}: {error}\nthe last operations:\n{told}") from error


def everything_still_works(machine, users):
    """Expects that podd brings every user's pod back, now that it is not killed any more."""
    for name, row in pods(machine).items():
        if row["state"] != "ready" and row["users"]:
            machine.succeed(f"podctl reset {name}; podctl thaw {name}; podctl start {name}", timeout=120)
    for user in users:
        place = podctl(machine, f"provision {user} --tier busy", timeout=120)
        expect(place["state"], "ready", user)
        wait_until(lambda: curl(machine, place, "/api/v2/version", user_token=token(machine, user))[0] == 200, 30,
                   what=f"{user} is served")
    agrees(machine)
    invariants_hold(machine)

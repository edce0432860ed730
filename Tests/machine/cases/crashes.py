"""podd is killed while it works, the machine is rebooted, the power fails: everything that was confirmed survives, and
nothing is half done."""

import collections
import random
import shlex

from podctl_testing import (
    KILLED, agrees, case, complaints, curl, expect, moment, pods, podctl, recorded, token, wait_until)

#: One user per pod, so that few users make many pods.
NARROW = "[Tier]\nUsersPerPod=3\n"

#: Provisions each user of standard input, some at a time, and prints the users that were confirmed.
PROVISION = """xargs -P {at_once} -I USER sh -c \
'podctl --json provision USER > /dev/null 2>> /run/refused && echo USER'"""


def provision_many(machine, users, at_once=4):
    return machine.start(PROVISION.format(at_once=at_once), input="\n".join(users) + "\n")


def confirmed(job):
    return [line for line in job.stdout.splitlines(keepends=True) if line.endswith("\n")]


def answered(machine, pod, request, secret):
    status, body = curl(machine, pod, f"/api/v2/{request}", user_token=secret)
    expect(status, 200, f"{request} of {pod['pod']} ({body.strip()})")
    return body


def expect_placed(machine, users):
    """Expects that each of USERS is on record exactly once."""
    counted = collections.Counter(row["user"] for row in podctl(machine, "users"))
    expect({user: counted[user] for user in users}, dict.fromkeys(users, 1), "confirmed users on record")


@case(once="12")
def podd_killed_at_any_moment_of_thirty_provisions_leaves_no_half(machine):
    machine.put("/etc/podctl/tiers/free.conf.d/narrow.conf", NARROW)
    machine.succeed("systemctl reload podd")
    chance = random.Random()
    users = [f"user{number}@example.com" for number in range(30)]
    sure = set()
    since = moment(machine)
    # Provisions in progress fail when podd dies; podd is killed until none is left.
    for attempt in range(40):
        missing = [user for user in users if user not in sure]
        if not missing:
            break
        job = provision_many(machine, missing)
        kills = 0
        while job.running and kills < 12:
            pause = chance.uniform(0.02, 2.5)
            # Until podd's socket is closed, the bus still passes calls on to it.
            machine.run(
                f"sleep {pause:.3f}; podd=$(systemctl show -P MainPID podd); kill -9 $podd 2> /dev/null; "
                "while test -d /proc/$podd; do sleep 0.01; done")
            kills += 1
        job.wait(300)
        sure |= {line.strip() for line in confirmed(job)}
        if attempt == 0:
            agrees(machine, 180)
            expect_placed(machine, sure)
        if attempt >= 2:
            # When it is not killed any more, podd must complete the rest without errors.
            job = provision_many(machine, [user for user in users if user not in sure])
            job.wait(300)
            sure |= {line.strip() for line in confirmed(job)}
            break
    last = machine.succeed("tail -n 4 /run/refused 2> /dev/null || true")
    expect(sorted(sure), sorted(users), f"users confirmed in the end (the last refusals: {last})")
    agrees(machine, 180)
    expect_placed(machine, users)
    expect({row["state"] for row in pods(machine).values()}, {"ready"})
    for row in pods(machine).values():
        expect(row["users"], 3, f"users of {row['pod']}")
    for user in chance.sample(users, 3):
        place = podctl(machine, f"provision {user}")
        expect(place["created"], False)
        answered(machine, place, "version", token(machine, user))
    expect(complaints(machine, since, [
        *KILLED,
        r"scope ended: (unknown-adopted|signal:(KILL|TERM)|exited:0)",
    ]), [])


@case(once="13")
def a_reboot_brings_every_pod_back_in_the_order_of_their_tiers(machine):
    machine.put("/etc/podctl/tiers/free.conf.d/narrow.conf", NARROW)
    machine.put("/etc/podctl/podd.conf.d/few.conf", "[Podd]\nLaunchesMax=2\n")
    machine.succeed("systemctl restart podd")
    users = [f"free{number}" for number in range(12)]
    tiers = {**dict.fromkeys(users, "free"), "basic": "basic", "halted": "basic", "pro": "pro",
             "big": "enterprise", "bigger": "enterprise"}
    machine.put("/root/users", "".join(f"{user} {tier}\n" for user, tier in tiers.items()))
    machine.succeed("echo '[Tier]\nUsersPerPod=1' > /tmp/one; for tier in basic; do mkdir -p "
                    "/etc/podctl/tiers/$tier.conf.d; cp /tmp/one /etc/podctl/tiers/$tier.conf.d/; done; "
                    "mv /etc/podctl/tiers/basic.conf.d/one /etc/podctl/tiers/basic.conf.d/one.conf; "
                    "systemctl reload podd")
    machine.succeed("podctl --json provision --from-file /root/users", timeout=600)
    placed = {row["user"]: row for row in podctl(machine, "users")}
    halted = placed["halted"]["pod"]
    machine.succeed(f"podctl stop {halted}")
    secret = token(machine, "free7")
    before = pods(machine)
    home = before[placed["free7"]["pod"]]
    answered(machine, home, "insert?p=kept&c=1.1.1/1.1.1/1.1.1&s=before", secret)
    agrees(machine)
    down = moment(machine)

    machine.reboot()

    def all_ready():
        now = pods(machine)
        return all(row["state"] == ("stopped" if name == halted else "ready") for name, row in now.items())

    wait_until(lambda: machine.run("podctl --json pods").status == 0, 120, what="podd answers")
    wait_until(all_ready, 300, what="every pod is back")
    agrees(machine)
    after = pods(machine)
    expect(sorted(after), sorted(before))
    for name, row in after.items():
        expect(row["restarts"], before[name]["restarts"], f"restarts of {name}")
        expect(row["generation"], before[name]["generation"] + (name != halted), f"generation of {name}")
        expect((row["address"], row["port"], row["users"]),
               tuple(before[name][key] for key in ("address", "port", "users")), name)
    expect(answered(machine, home, "select?p=kept&c=1.1.1/1.1.1/1.1.1", secret).strip(), "before")

    # Before the reboot no pod crashed, and none was launched during the shutdown.
    ends = machine.succeed("journalctl -b -1 -o cat MESSAGE_ID=fe075c7d43334a0d8b61865b9aee0627").splitlines()
    expect([line for line in ends if halted not in line], [], "ends recorded before the reboot")
    said = machine.succeed(f"journalctl -b -1 -o cat --since=@{down} SYSLOG_IDENTIFIER=podd")
    expect(said, "", "what podd said on the way down")
    wrong = machine.succeed("journalctl -b -1 -o cat -p warning -u podd.service").splitlines()
    expect([line for line in wrong if line], [], "podd's warnings in the first boot")
    wrong = machine.succeed("journalctl -b -o cat -p warning -u podd.service").splitlines()
    expect([line for line in wrong if line], [], "podd's warnings in the second boot")

    # The recorded launches of this boot are ordered by rank, two at a time.
    launches = [tuple(row.values()) for row in recorded(
        machine, "SELECT tier, begun_at, started_at FROM generation JOIN pod ON pod.number = generation.pod "
        "AND pod.generation = generation.generation WHERE wanted = 'run' ORDER BY begun_at")]
    rank = {"enterprise": 0, "pro": 1, "basic": 2, "free": 3}
    order = [tier for tier, _, _ in launches]
    expect(order, sorted(order, key=rank.get), "order of launches")
    for _, begun, _ in launches:
        under_way = sum(1 for _, b, s in launches if b <= begun < s)
        assert under_way <= 2, f"{under_way} launches at a time: {launches}"


@case(once="12")
def a_power_cut_amid_200_provisions_loses_no_confirmed_user(machine):
    chance = random.Random()
    users = [f"user{number}@example.com" for number in range(200)]
    sure = []
    for low, high in ((1, 30), (20, 60), (10, 70)):
        cut = len(sure) + chance.randint(low, high)
        job = provision_many(machine, [user for user in users if user not in sure])
        wait_until(lambda: len(sure) + len(confirmed(job)) >= cut or not job.running, 600, 0.01,
                   what=f"{cut} confirmed users")
        machine.power_cut()
        sure += [line.strip() for line in confirmed(job)]
        assert len(sure) < len(users), "the power went too late"
        machine.boot()
        wait_until(lambda: machine.run("podctl --json users").status == 0, 180, what="podd answers")
        agrees(machine, 300)
        expect_placed(machine, sure)
        expect({row["state"] for row in pods(machine).values()}, {"ready"}, "states")
        wrong = machine.succeed("journalctl -b -o cat -p warning -u podd.service").splitlines()
        expect([line for line in wrong if line], [], "podd's warnings after the power cut")
        for user in chance.sample(sure, min(3, len(sure))):
            place = podctl(machine, f"provision {shlex.quote(user)}")
            expect((place["created"], place["state"]), (False, "ready"), user)
            answered(machine, place, "toc?p=any", token(machine, user))

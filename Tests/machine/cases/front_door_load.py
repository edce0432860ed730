"""The front door under many requests and under clients that are slow on purpose, while what serves them is replaced or fails."""

import collections
import json
import signal
import time

from fronting import FRONT_UNITS, responses, with_front_door
from loading import PROGRAMS, put_programs
from podctl_testing import agrees, case, complaints, expect, moment, podctl, pods, unit, wait_until

KEYS = "/etc/podctl/gate/keys.json"
COUNTING = f"""\
[Workload]
ExecStart=/usr/bin/python3 -ES {PROGRAMS}/counting
Type=exec
Listen=socket
Probe=tcp
ReloadSignal=SIGHUP
TimeoutDrainSec=60s
TimeoutStopSec=60s
"""
USERS, REQUESTS, PARALLEL = 40, 1200, 1000


def listen_for_emulated_clients(machine):
    """TLS for each of a thousand new connections would occupy an emulated machine for minutes, and a thousand clients of it
    need more than nginx's 10 s until each has sent its request."""
    machine.put("/etc/podctl/front/server.d/slow.conf", "client_header_timeout 300s;\n")
    machine.put("/etc/podctl/front/listen.conf",
                "listen 443 ssl;\nlisten 127.0.0.1:8080;\n"
                "ssl_certificate /run/podctl/front/tls.crt;\nssl_certificate_key /run/podctl/front/tls.key;\n")
    machine.succeed("systemctl restart podctl-front.service", timeout=120)


def counted(machine, users_per_pod=20):
    put_programs(machine, "counting")
    machine.put("/etc/podctl/workloads/counting.conf", COUNTING)
    machine.put("/etc/podctl/tiers/counted.conf",
                f"[Tier]\nWorkload=counting\nUsersPerPod={users_per_pod}\nMemoryMax=192M\nTasksMax=64\n")


def workload(machine, name, text, **keys):
    """A workload that runs TEXT by the shell, and a tier of the same name with one user for each pod."""
    machine.put(f"/etc/podctl/workloads/{name}.conf", f"[Workload]\nType=notify\nProbe=tcp\n{text}\n")
    machine.put(f"/etc/podctl/tiers/{name}.conf",
                "[Tier]\n" + "".join(f"{key}={value}\n" for key, value in (
                    {"Workload": name, "UsersPerPod": 1, "MemoryMax": "64M", "TasksMax": 16} | keys).items()))


def ask(machine, requests, parallel=1, timeout=300):
    """The responses to REQUESTS (files/ask-front), without TLS."""
    return responses(machine, [{"plain": True, "port": 8080, **request} for request in requests],
                     parallel=parallel, patience=timeout, timeout=timeout + 60)


def done(machine, name="requests"):
    """The paths that the pods' programs have written down."""
    return machine.run(f"cat /var/lib/podctl/pods/*/{name}").stdout.split()


def rotate_key(machine):
    """A new key beside the old one, first known and then used: new tokens are signed with the first of the file."""
    replace = (f"cat /run/keys.json > {KEYS}.new && chown --reference={KEYS} {KEYS}.new && "
               f"chmod --reference={KEYS} {KEYS}.new && mv {KEYS}.new {KEYS} && systemctl reload podgate.service")
    for change in (f'.keys += [{{"kty": "oct", "kid": "next", "k": "{"x" * 42}w"}}]', ".keys |= reverse"):
        machine.succeed(f"jq '{change}' {KEYS} > /run/keys.json && {replace}", timeout=120)


@case(once="13", units=FRONT_UNITS, prepared=with_front_door)
def a_thousand_requests_at_once_are_each_served_once_whatever_is_replaced_meanwhile(machine):
    listen_for_emulated_clients(machine)
    counted(machine)
    machine.succeed("systemctl reload podd.service")
    users = [f"user{number}" for number in range(USERS)]
    machine.put("/root/users", "".join(f"{user} counted\n" for user in users))
    places = podctl(machine, "provision --from-file /root/users", timeout=300)
    recycled, other = sorted({place["pod"] for place in places})
    before = pods(machine)

    # One address may have 256 connections. Every hundredth request comes by TLS.
    requests = [{"user": users[number % USERS], "path": f"/api/{number}", "source": f"127.0.1.{1 + number % 8}",
                 **({"plain": True, "port": 8080} if number % 100 else {})} for number in range(REQUESTS)]
    asked = machine.start(f"exec /payload/files/ask-front --parallel {PARALLEL} --timeout 600", input=json.dumps(requests))
    served = 0

    def goes_on():
        nonlocal served
        before = served

        def more():
            nonlocal served
            assert asked.running, f"only {served} had been served when the last event was due: {asked.stdout[:2000]}"
            served = len(done(machine))
            return served > before + 20

        wait_until(more, 180, 0.2, what=f"more requests than {before} are served")

    goes_on()
    recycling = machine.start(f"podctl recycle {recycled}")
    for event in ("systemctl kill --signal=KILL podgate.service", "systemctl reload podctl-front.service", None,
                  "systemctl kill --signal=KILL podd.service"):
        goes_on()
        if event:
            machine.succeed(event, timeout=120)
        else:
            rotate_key(machine)
    answers = json.loads(asked.wait(600).stdout)
    recycling.wait(300)
    wrong = collections.Counter((each["status"], each["body"][:100]) for request, each in zip(requests, answers)
                                if (each["status"], each["body"]) != (200, request["path"]))
    expect(wrong, {}, f"failed requests of {REQUESTS}")
    counts = collections.Counter(done(machine))
    expect({path: count for path, count in counts.items() if count != 1}, {}, "requests that were done more than once")
    expect(len(counts), REQUESTS, "requests that were done")
    wait_until(lambda: pods(machine)[recycled]["generation"] == before[recycled]["generation"] + 1, 120,
               what="the next generation of the recycled pod")
    expect(pods(machine)[other]["main_pid"], before[other]["main_pid"], "the process of the other pod")
    agrees(machine)


def most_at_once(machine):
    """How many pods were between their start and READY=1 at the same time, by the journal."""
    lines = machine.succeed("journalctl -b -u podd.service -o short-monotonic --no-pager | "
                            "grep -oE '(started as|is ready)'").split("\n")
    now = most = 0
    for line in lines:
        now += (line == "started as") - (line == "is ready")
        most = max(most, now)
    return most


@case(once="12", units=FRONT_UNITS, prepared=with_front_door)
def a_hundred_users_wake_their_pods_at_once_and_no_request_waits_for_a_pod_that_cannot_start(machine):
    listen_for_emulated_clients(machine)
    machine.put("/etc/podctl/tiers/crowd.conf", "[Tier]\nUsersPerPod=5\nMemoryMax=64M\nTasksMax=16\n")
    counted(machine, users_per_pod=5)
    # Two that never get ready, and one that ends at once.
    for listen in ("socket", "port"):
        workload(machine, f"stuck{listen}", f"ExecStart=/usr/bin/sleep infinity\nListen={listen}\nTimeoutStartSec=3s")
    workload(machine, "broken", "ExecStart=/usr/bin/false\nListen=socket")
    machine.succeed("systemctl reload podd.service")
    users = [f"user{number}" for number in range(100)]
    machine.put("/root/users", "".join(f"{user} crowd\n" for user in users))
    machine.succeed("podctl provision --cold --from-file /root/users", timeout=300)
    cold = pods(machine)
    expect((len(cold), {pod["generation"] for pod in cold.values()}), (20, {0}), "cold pods")

    found = ask(machine, [{"user": user, "path": "/api/v2/version"} for user in users], parallel=100, timeout=600)
    expect(collections.Counter(each["status"] for each in found), {200: 100})
    expect({pod["generation"] for pod in pods(machine).values()}, {1}, "launches of each pod")
    assert most_at_once(machine) <= 8, "more than 8 pods started at the same time"

    # A request to a pod that does not get ready ends, says when to come again, and leaves nothing behind.
    hopeless = ("stucksocket", "stuckport", "broken")
    for name in hopeless:
        podctl(machine, f"provision {name} --tier {name} --cold")
    found = ask(machine, [{"user": name, "path": "/api/v2/version"} for name in hopeless], parallel=3)
    expect([(each["status"], "retry-after" in each["fields"]) for each in found], [(503, True)] * 3, json.dumps(found))

    # WebSockets to pods that sleep, are stopped or broken, and of a user who is suspended: no descriptor stays behind.
    podctl(machine, "provision sleeping --tier counted --cold")
    for user in ("stopped", "suspended"):
        podctl(machine, f"provision {user} --tier counted", timeout=180)
    stopped = podctl(machine, "provision alone --tier broken --cold")["pod"]
    machine.succeed(f"podctl stop {stopped} && podctl suspend suspended", timeout=180)
    upgrade = [["Connection", "Upgrade"], ["Upgrade", "websocket"]]

    def tries(count):
        users = ("sleeping", "alone", "suspended", "broken")
        found = ask(machine, [{"user": users[number % 4], "path": "/api/socket", "fields": upgrade}
                              for number in range(count)], parallel=16)
        return {user: {each["status"] for each in found[number::4]} for number, user in enumerate(users)}

    def descriptors():
        return {line.split()[0]: int(line.split()[1]) for line in machine.succeed(
            "for each in $(systemctl show -P MainPID podgate.service) $(pgrep -P $(systemctl show -P MainPID podctl-front.service)); "
            "do echo $each $(ls /proc/$each/fd | wc -l); done").splitlines()}

    expect(tries(64), {"sleeping": {200}, "alone": {503}, "suspended": {403}, "broken": {503}})
    first = descriptors()
    tries(320)
    wait_until(lambda: {each for each, count in descriptors().items() if count > first[each] + 4} == set(), 60,
               what=f"nobody has more descriptors than {first}")

    # What is done before a program dies is not done again.
    podctl(machine, "provision dying --tier counted", timeout=180)
    for method in ("GET", "POST"):
        expect(ask(machine, [{"user": "dying", "path": "/api/die", "method": method}])[0]["status"], 503)
    expect(done(machine).count("/api/die"), 2)
    agrees(machine)


@case(once="13", units=FRONT_UNITS, prepared=with_front_door)
def clients_that_are_slow_on_purpose_disturb_no_pod_and_nobody_else(machine):
    since = moment(machine)
    listen_for_emulated_clients(machine)
    counted(machine)
    machine.succeed("systemctl reload podd.service")
    podctl(machine, "provision awake --tier counted", timeout=180)
    podctl(machine, "provision asleep --cold")
    asleep = podctl(machine, "provision asleep --cold")["pod"]

    def signed(user):
        return machine.succeed(f"podctl token {user}").strip()

    def others_are_served(what):
        expect([each["status"] for each in ask(machine, [{"user": "awake", "path": "/api/other"}] * 5, parallel=5)],
               [200] * 5, what)

    def connected():
        return int(machine.succeed("ss -Htn state established dst 127.0.0.1:8080 | wc -l"))

    def clients(kind, count, user=None):
        job = machine.start(f"exec prlimit --nofile=8192 /payload/files/slow-clients {kind} {count} "
                            f"{signed(user) if user else ''}")
        wait_until(lambda: "READY" in job.stdout or not job.running, 180, what=f"{count} clients: {kind}")
        assert job.running, job.stderr
        return job

    def end(job):
        job.signal(signal.SIGKILL)
        job.wait(60)

    quiet, opened = clients("quiet", 1, "awake"), time.monotonic()
    for kind, count in (("idle", 4096), ("heads", 4096)):
        job = clients(kind, count)
        assert connected() >= count, (kind, connected())
        others_are_served(f"beside {count} clients: {kind}")
        end(job)

    # A request begins for the pod when its body is complete.
    job = clients("bodies", 100, "asleep")
    others_are_served("beside slow bodies")
    assert connected() >= 100, connected()
    expect(pods(machine)[asleep]["generation"], 0, "launches of the pod whose requests are not complete")
    end(job)

    # A program has sent its whole response, although nobody reads it.
    job = clients("deaf", 10, "awake")
    wait_until(lambda: done(machine, "answered").count("/api/long") == 10, 120, what="all long responses are sent")
    others_are_served("beside clients that read nothing")
    end(job)

    # 100 MB: refused before a byte is read, unless a user sends it; then it is on a disk and not in memory.
    large = ("head -c {size} /dev/zero | curl -sS -o /dev/null -w '%{{http_code}} %{{size_upload}}' --max-time 300 -T - "
             "-X POST {fields} -H 'Content-Length: {size}' -H 'Expect:' -H 'Transfer-Encoding:' http://127.0.0.1:8080/api/large")

    def upload(size, fields=""):
        return machine.run(large.format(size=size, fields=fields), timeout=330).stdout.split()

    status, sent = upload(100_000_000)
    assert status == "401" and int(sent) < 10_000_000, (status, sent)
    status, sent = upload(105_000_000, f"-H 'Authorization: Bearer {signed('awake')}'")
    assert status == "413" and int(sent) < 10_000_000, (status, sent)
    sending = machine.start(large.format(size=100_000_000, fields=f"-H 'Authorization: Bearer {signed('awake')}'"))
    others_are_served("beside 100 MB")
    expect(sending.wait(330).stdout.split(), ["200", "100000000"])
    used = int(machine.succeed("du -sk /var/cache/podctl-front").split()[0])
    assert used < 1000, f"{used} kB of bodies were left behind"

    # A WebSocket may be quiet for longer than nginx's usual minute.
    wait_until(lambda: time.monotonic() - opened > 75, 90)
    quiet.signal(signal.SIGUSR1)
    expect(quiet.wait(60).status, 0, "a quiet WebSocket")
    expect(unit(machine, "podctl-front.service", "NRestarts"), {"NRestarts": "0"})
    expect(machine.succeed("journalctl -b -u podctl-front.service -p err -o cat --no-pager"), "", "errors of nginx")
    expect(complaints(machine, since), [])

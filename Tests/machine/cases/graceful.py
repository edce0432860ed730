"""Generations are replaced manually, in a rollout and because they hang, and no request is lost."""

import json

from loading import PROGRAMS, Load, invariants_hold, put_programs, targets, tier, workload
from podctl_testing import agrees, case, curl, evidence, expect, podctl, pods, recorded, refused, token, wait_until

PODS = 20


def place(machine, name, count, timeout=500):
    """Provisions COUNT users of tier NAME, each with their own pod."""
    machine.put("/root/users", "".join(f"{name}{number} {name}\n" for number in range(count)))
    placed = podctl(machine, "provision --from-file /root/users", timeout=timeout)
    expect({each["state"] for each in placed}, {"ready"}, "states after provisioning")
    expect(len({each["pod"] for each in placed}), count, "pods")
    return placed


def restarts_of_all_lose_nothing(machine, places, path=None, at_once=2, pause=0.02):
    """Restarts every pod gracefully while 16 connections send requests to the pods."""
    before = pods(machine)
    names = [each["pod"] for each in places]
    with Load(machine, targets(machine, places, path), "--connections", 16, "--pause", pause, "--stay", 10) as load:
        machine.succeed(f"printf '%s\\n' {' '.join(names)} | xargs -P {at_once} -n 1 podctl restart", timeout=900)
        load.goes_on()
    figures = load.lost_nothing()
    for name, row in pods(machine).items():
        if name in names:
            shown = tuple(row[key] for key in ("state", "generation", "restarts", "last_exit_reason"))
            expect(shown, ("ready", before[name]["generation"] + 1, before[name]["restarts"], "operator"), name)
            assert row["main_pid"] != before[name]["main_pid"], f"{name} is the same process"
            assert figures["targets"][name]["requests"] > 0, f"nothing was asked of {name}"
    agrees(machine)
    invariants_hold(machine)


@case(once="13")
def twenty_pods_with_podserve_are_restarted_under_load_and_no_request_fails(machine):
    tier(machine, "many", "podserve", MemoryMax="96M", CPUQuota="50%")
    restarts_of_all_lose_nothing(machine, place(machine, "many", PODS))


@case(memory=3072, cpus=2, once="12")
def twenty_pods_with_gunicorn_are_restarted_under_load_and_no_request_fails(machine):
    tier(machine, "many", "gunicorn")
    machine.put("/etc/podctl/workloads/gunicorn.conf.d/patient.conf", "[Workload]\nTimeoutStartSec=5min\n")
    # gunicorn's worker answers one request at a time and needs ten times the CPU time of podserve. With a shorter pause
    # the emulated processors have no time left for the twenty interpreters that start.
    restarts_of_all_lose_nothing(machine, place(machine, "many", PODS), "/", pause=0.4)


@case(once="13")
def an_application_that_does_not_load_leaves_its_predecessor_serving(machine):
    tier(machine, "python", "gunicorn")
    pod, = place(machine, "python", 1)
    before = pods(machine)[pod["pod"]]
    broken = "/etc/podctl/workloads/gunicorn.conf.d/broken.conf"
    command = machine.succeed("sed -n s/^ExecStart=//p /usr/lib/podctl/workloads/gunicorn.conf").strip()
    machine.put(broken, f"[Workload]\nExecStart=\nExecStart={command.replace('hello:app', 'nonesuch:app')}\n")
    with Load(machine, targets(machine, [pod], "/"), "--connections", 4, "--pause", 0.1) as load:
        # gunicorn exits with this status when a worker cannot load the application.
        refused(machine, f"podctl restart {pod['pod']}", 1, pod["pod"], "exited:3", timeout=120)
        load.goes_on()
        now = pods(machine)[pod["pod"]]
        expect((now["state"], now["main_pid"]), ("ready", before["main_pid"]), "the predecessor")
        machine.succeed(f"rm {broken}; podctl restart {pod['pod']}", timeout=120)
        load.goes_on()
    load.lost_nothing()
    assert pods(machine)[pod["pod"]]["main_pid"] != before["main_pid"], "still the predecessor"
    agrees(machine)
    invariants_hold(machine)


@case(once="12")
def a_request_under_way_is_answered_before_its_pod_is_replaced(machine):
    pod = podctl(machine, "provision alice")
    secret = token(machine, "alice")
    asked = machine.start("exec python3 -", input=f"""
import socket, sys
connection = socket.create_connection(({pod['address']!r}, {pod['port']}), 60, ({pod['front_address']!r}, 0))
connection.sendall(b"POST /api/v2/insert?p=long&c=1.1.1/1.1.1/1.1.1 HTTP/1.1\\r\\nHost: pod\\r\\n"
                   b"Authorization: Bearer {secret}\\r\\nContent-Length: 8\\r\\n\\r\\nhalf")
open("/run/half", "w").close()
import os, time
while os.path.exists("/run/half"): time.sleep(0.05)
connection.sendall(b"half")
print(connection.recv(4096).decode().splitlines()[0])
""")
    wait_until(lambda: machine.run("test -e /run/half").status == 0, 30, what="half a request")
    generation = pods(machine)[pod["pod"]]["generation"]
    restart = machine.start(f"podctl restart {pod['pod']}")
    wait_until(lambda: pods(machine)[pod["pod"]]["state"] != "ready", 30, what="the restart has begun")
    machine.succeed("rm /run/half")
    ended = asked.wait(60)
    assert " 200 " in ended.stdout + " ", f"answered {ended.stdout!r} {ended.stderr!r}"
    expect(restart.wait(60).status, 0, "exit status of the restart")
    expect(pods(machine)[pod["pod"]]["generation"], generation + 1)
    status, body = curl(machine, pod, "/api/v2/select?p=long&c=1.1.1/1.1.1/1.1.1", user_token=secret)
    expect((status, body.strip()), (200, "halfhalf"))


@case(once="12")
def a_drain_is_bounded_and_says_what_it_cut(machine):
    # The program serves one connection at a time, so podd's probe waits behind the user's request; the probe does not
    # count as a cut connection.
    workload(machine, "patient", "Type=exec\nListen=port\nProbe=tcp\nProbeSec=1s\nProbeTimeoutSec=2min\nTimeoutDrainSec=3s\n"
             "Environment=PATIENCE=120\n")
    pod = podctl(machine, "provision alice --tier patient")
    idle = machine.start(f"exec socat -u TCP:{pod['address']}:{pod['port']},bind={pod['front_address']} -")
    wait_until(lambda: podctl(machine, f"status {pod['pod']}")["connections"] == 1, 30, what="one connection")
    wait_until(lambda: machine.succeed(f"ss -Htn state established dst {pod['address']} | wc -l").strip() == "2", 30, 0.05,
               what="podd's probe")
    machine.succeed(f"podctl restart {pod['pod']}", timeout=60)
    # The client sees that its connection was cut.
    idle.wait(30)
    ended = next(each for each in podctl(machine, f"status {pod['pod']}")["generations"] if each["reason"])
    found = evidence(ended)
    expect((ended["reason"], found["cut_connections"]), ("operator", 1))
    said = machine.succeed(f"journalctl -b -o cat -t podd POD={pod['pod']}")
    assert "cut" in said, said


@case(once="13")
def connections_that_end_with_a_program_that_would_not_are_told_as_cut(machine):
    workload(machine, "stubborn", "Type=notify\nListen=socket\n")
    pod = podctl(machine, "provision alice --tier stubborn")
    curl(machine, pod, "/do/ignore_term")
    idle = machine.start(f"exec socat -u TCP:{pod['address']}:{pod['port']},bind={pod['front_address']} -")
    wait_until(lambda: podctl(machine, f"status {pod['pod']}")["connections"] == 1, 30, what="one connection")
    machine.succeed(f"podctl restart {pod['pod']}", timeout=60)
    idle.wait(30)
    ended = next(each for each in podctl(machine, f"status {pod['pod']}")["generations"] if each["reason"])
    expect((ended["reason"], evidence(ended)["cut_connections"]), ("operator", 1))
    entries = machine.succeed(f"journalctl -b -o cat -t podd POD={pod['pod']} POD_CONNECTIONS=1")
    assert "left after 3.0 s" in entries, entries


def generations(machine, pod):
    """The pod's generations in the database, oldest first; times are seconds since the epoch."""
    rows = recorded(machine, f"SELECT * FROM generation WHERE pod = {int(pod.split('-')[1])} ORDER BY generation")
    for row in rows:
        for key in ("begun_at", "started_at", "ready_at", "ended_at"):
            row[key] = row[key] and row[key] / 1e6
    return rows


def gaps(machine, pod):
    """The gaps of POD according to podd's log: from the stop of a generation until the next one is ready."""
    found, left = [], None
    for each in podctl(machine, f"status {pod}")["transitions"]:
        at = float(machine.succeed(f"date -d {each['timestamp']} +%s.%6N"))
        if each["to"] in ("stopping", "backoff"):
            left = left or at
        elif each["to"] == "ready" and left is not None:
            found.append((left, at))
            left = None
    return found


#: A request that started this long before a gap may have met it, because of clocks and podd's reaction time.
SLACK = 0.25


@case(once="13")
def a_program_that_truncates_files_is_restarted_under_load_without_a_damaged_one(machine):
    workload(machine, "sloppy", "Type=exec\nListen=port\nProbe=tcp\nTimeoutDrainSec=60s\n", "truncating-server")
    places = place(machine, "sloppy", 4)
    names = [each["pod"] for each in places]
    # With pauses, there are moments without a connection; there is no front door that holds requests.
    with Load(machine, targets(machine, places, "/", tokens=False), "--connections", 16, "--pause", 1.0) as load:
        for _ in range(3):
            machine.succeed(f"printf '%s\\n' {' '.join(names)} | xargs -P 2 -n 1 podctl restart", timeout=300)
            load.goes_on(1)
    for name in names:
        result = machine.run(f"/payload/files/truncating-server check /var/lib/podctl/pods/{name}/files")
        expect(result.status, 0, f"{name}: {result.stdout.strip()}")
        rows = generations(machine, name)
        expect([row["reason"] for row in rows], ["operator"] * 3 + [None], f"ends of {name}")
    figures = load.figures()
    away = {name: gaps(machine, name) for name in names}
    expect({name: len(found) for name, found in away.items()}, dict.fromkeys(names, 3), "gaps that podd tells of")
    outside = [
        each for each in figures["failures"] if not any(
            begin - SLACK <= each["began"] <= end + SLACK for begin, end in away[each["target"]])]
    expect(outside, [], f"requests that failed outside the gaps {away}")
    expect(figures["stale"], [])
    agrees(machine)
    invariants_hold(machine)


# Rollouts

def main_pids(machine, places):
    rows = pods(machine)
    return {each["pod"]: rows[each["pod"]]["main_pid"] for each in places}


@case(once="13")
def a_rollout_replaces_a_tier_and_stops_at_the_first_pod_that_does_not_come_back(machine):
    tier(machine, "many", "rolled")
    put_programs(machine, "misbehaving")
    good = f"[Workload]\nExecStart=/usr/bin/python3 -ES {PROGRAMS}/misbehaving\nType=notify\nEnvironment=RELEASE=%d\n"
    file = "/etc/podctl/workloads/rolled.conf"
    machine.put("/etc/podctl/podd.conf.d/patient.conf", "[Podd]\nStartLimitBurst=100\nRestartMaxDelaySec=1s\n")
    machine.put(file, good % 1)
    machine.succeed("systemctl reload podd.service")
    places = place(machine, "many", 6)
    release = "tr '\\0' '\\n' < /proc/$(podctl --json pods | jq '.[] | select(.pod == \"%s\").main_pid')/environ | " \
              "sed -n s/^RELEASE=//p"

    def releases():
        return [machine.succeed(release % each["pod"]).strip() for each in places]

    # All pods are replaced in batches under load.
    machine.put(file, good % 2)
    before = main_pids(machine, places)
    with Load(machine, targets(machine, places, "/", tokens=False), "--connections", 6, "--pause", 0.05) as load:
        result = podctl(machine, "rollout --tier many --healthy-sec 1s", timeout=300)
        load.goes_on(1)
    expect((result["replaced"], result["total"]), (6, 6))
    expect(set(before.items()) & set(main_pids(machine, places).items()), set(), "pods that were not replaced")
    expect(releases(), ["2"] * 6)

    # The workload breaks during the rollout: one pod does not become ready, and the others stay as they are.
    before = main_pids(machine, places)
    # --revert returns to a version with which pods have served.
    proved = "SELECT version FROM workload_version WHERE served_at IS NOT NULL AND text LIKE '%RELEASE=2%'"
    wait_until(lambda: recorded(machine, proved), 60, what="the second version on record as one that works")
    # Long enough that a slow machine breaks the workload before the third pod or the fourth is replaced.
    rollout = machine.start("podctl rollout --tier many --max-parallel 1 --healthy-sec 5s")
    wait_until(lambda: sum(main_pids(machine, places)[pod] != pid for pod, pid in before.items()) >= 2, 120, 0.1,
               what="two pods replaced")
    machine.put(file, "[Workload]\nExecStart=/usr/bin/nonesuch\nType=notify\n")
    ended = rollout.wait(120)
    expect((ended.status, ended.stdout, ended.stderr.count("\n")), (1, "", 1), f"the stopped rollout: {ended.stderr}")
    rows = pods(machine)
    broken = [each["pod"] for each in places if rows[each["pod"]]["state"] != "ready"]
    expect(len(broken), 1, f"pods that are not ready ({broken})")
    assert broken[0] in ended.stderr and "exec:ENOENT" in ended.stderr, ended.stderr
    untouched = [pod for pod, pid in before.items() if rows[pod]["main_pid"] == pid]
    assert len(untouched) >= 2, f"untouched: {untouched}"

    # With --revert, the broken pod becomes ready again, and no other pod is replaced twice.
    podctl(machine, "rollout --tier many --revert --healthy-sec 1s", timeout=300)
    wait_until(lambda: {pods(machine)[each["pod"]]["state"] for each in places} == {"ready"}, 60)
    expect(releases(), ["2"] * 6, "after the revert")

    # The workload is broken from the start, then fixed; --resume replaces only the remaining pods.
    machine.put(file, "[Workload]\nExecStart=/usr/bin/nonesuch\nType=notify\n")
    line = refused(machine, "podctl rollout --tier many --max-parallel 1 --healthy-sec 1s", 1, "exec:ENOENT", timeout=120)
    machine.put(file, good % 3)
    broken = next(each["pod"] for each in places if each["pod"] in line)
    wait_until(lambda: pods(machine)[broken]["state"] == "ready", 60, what=f"{broken} is back")
    podctl(machine, "rollout --tier many --resume --healthy-sec 1s", timeout=300)
    expect(releases(), ["3"] * 6, "after the resumed rollout")
    agrees(machine)
    invariants_hold(machine)


# Pods that hang, loop and crash

@case(once="13")
def a_hung_pod_is_replaced_while_a_slow_one_under_load_is_not(machine):
    workload(machine, "watched", "Type=notify\nListen=socket\nProbe=http:/\nProbeSec=1s\nProbeTimeoutSec=6s\nProbeFailures=2\n")
    slow, hung = place(machine, "watched", 2)
    machine.succeed(f"curl -s --interface {slow['front_address']} http://{slow['address']}:{slow['port']}/do/slow")
    before = pods(machine)
    # A request takes half a second, one at a time; with six connections each request waits for three seconds.
    with Load(machine, targets(machine, [slow], "/", tokens=False), "--connections", 6) as load:
        for happening in ("kill -STOP {main_pid}", "curl -s --interface {front_address} http://{address}:{port}/do/busy"):
            now = pods(machine)[hung["pod"]]
            machine.succeed(happening.format(**now))
            wait_until(lambda: pods(machine)[hung["pod"]]["generation"] == now["generation"] + 1
                       and pods(machine)[hung["pod"]]["state"] == "ready", 90, what="the hung pod is replaced")
            expect(pods(machine)[hung["pod"]]["last_exit_reason"], "health")
            load.goes_on(20)
    load.lost_nothing()
    for key in ("main_pid", "generation", "restarts", "state"):
        expect(pods(machine)[slow["pod"]][key], before[slow["pod"]][key], f"{key} of the slow pod")
    assert load.figures()["p50_ms"] > 1000, "the slow pod was not slow"


@case(once="13")
def a_pod_that_crashes_again_and_again_costs_one_launch_a_step_and_its_neighbours_nothing(machine):
    first, most, burst = 0.4, 3.2, 7
    machine.put("/etc/podctl/podd.conf.d/steps.conf",
                f"[Podd]\nRestartSec={first}s\nRestartMaxDelaySec={most}s\nStartLimitBurst={burst}\nStartLimitIntervalSec=10min\n")
    machine.succeed("systemctl restart podd.service")
    workload(machine, "crashing", "Type=notify\nListen=socket\n")
    neighbours = [podctl(machine, f"provision neighbour{number}") for number in range(2)]
    pod = podctl(machine, "provision mallory --tier crashing")
    before = {each["pod"]: pods(machine)[each["pod"]] for each in neighbours}
    with Load(machine, targets(machine, neighbours[:1]), "--connections", 4, "--pause", 0.05) as load:
        load.goes_on(200)
        during = load.window()
        machine.succeed(f"echo exit_3 > /var/lib/podctl/pods/{pod['pod']}/at-start; "
                        f"kill -KILL {pods(machine)[pod['pod']]['main_pid']}")
        wait_until(lambda: pods(machine)[pod["pod"]]["state"] == "crash-loop", 180, what="the crash loop")
        load.window()
        load.goes_on(200)
        load.window()
        figures = load.figures()["windows"]
    load.lost_nothing()
    rows = generations(machine, pod["pod"])
    expect([row["reason"] for row in rows], ["signal:KILL"] + ["exited:3"] * (len(rows) - 1))
    # One launch per step: as many ends as make a crash loop, and one more if a launch followed the last end.
    assert burst - 1 <= len(rows) <= burst + 1, f"{len(rows)} launches"
    for step, (earlier, later) in enumerate(zip(rows, rows[1:])):
        pause, delay = later["begun_at"] - earlier["ended_at"], min(first * 2 ** step, most)
        assert pause >= delay / 2, f"launch {later['generation']} came {pause:.3f} s after an end, at a step of {delay} s"
    # The start limit is hit: only reset launches the pod again.
    refused(machine, f"podctl start {pod['pod']}", 1, pod["pod"], "podctl reset")
    refused(machine, "podctl provision mallory --tier crashing", 1, pod["pod"])
    expect(len(generations(machine, pod["pod"])), len(rows), "launches of a pod that is held")
    machine.succeed(f"rm /var/lib/podctl/pods/{pod['pod']}/at-start; podctl reset {pod['pod']}", timeout=60)
    expect(pods(machine)[pod["pod"]]["state"], "ready")
    # The neighbours kept their latency, compared within the same boot, with a tolerance for the CPU time of launches.
    before_it, beside, after_it = figures[during - 1:during + 2]
    alone = max(before_it["p50_ms"], after_it["p50_ms"])
    assert beside["requests"] > 50 and beside["p50_ms"] <= 3 * alone + 20, (before_it, beside, after_it)
    for each in neighbours:
        row = pods(machine)[each["pod"]]
        expect((row["main_pid"], row["restarts"]), tuple(before[each["pod"]][key] for key in ("main_pid", "restarts")))
    agrees(machine)
    invariants_hold(machine)


@case(once="12")
def a_pod_that_worked_long_enough_starts_its_steps_anew(machine):
    # Ends that are far apart are not a crash loop, regardless of their number.
    machine.put("/etc/podctl/podd.conf.d/steps.conf",
                "[Podd]\nRestartSec=100ms\nStartLimitBurst=3\nStartLimitIntervalSec=2s\n")
    machine.succeed("systemctl restart podd.service")
    workload(machine, "plain", "Type=notify\nListen=socket\n")
    pod = podctl(machine, "provision alice --tier plain")
    for generation in range(1, 6):
        ready = wait_until(lambda: generations(machine, pod["pod"])[-1]["ready_at"], 30, what="readiness on record")
        wait_until(lambda: float(machine.succeed("date +%s.%N")) > ready + 2.5, 30)
        machine.succeed(f"kill -KILL {pods(machine)[pod['pod']]['main_pid']}")
        wait_until(lambda: (pods(machine)[pod["pod"]]["state"], pods(machine)[pod["pod"]]["generation"]) ==
                   ("ready", generation + 1), 60, what=f"generation {generation + 1}")
    expect(pods(machine)[pod["pod"]]["restarts"], 5)


@case(once="12")
def a_stop_by_hand_and_a_crash_loop_stay_across_a_reboot_and_a_restart_of_podd(machine):
    workload(machine, "plain", "Type=notify\nListen=socket\n")
    running, stopped, looping, empty = place(machine, "plain", 4)
    machine.put("/etc/podctl/podd.conf.d/steps.conf", "[Podd]\nStartLimitBurst=2\n")
    machine.succeed("systemctl restart podd.service")
    machine.succeed(f"podctl stop {stopped['pod']}; podctl deprovision {empty['user']}", timeout=60)
    machine.succeed(f"echo exit_3 > /var/lib/podctl/pods/{looping['pod']}/at-start")
    machine.succeed(f"kill -KILL {pods(machine)[looping['pod']]['main_pid']}")
    wanted = {running["pod"]: "ready", stopped["pod"]: "stopped", looping["pod"]: "crash-loop", empty["pod"]: "cold"}

    def states():
        result = machine.run("podctl --json pods")
        return {row["pod"]: row["state"] for row in json.loads(result.stdout)} if result.status == 0 else None

    wait_until(lambda: states() == wanted, 90, what=f"{wanted}")
    before = {name: pods(machine)[name]["generation"] for name in wanted}
    for happening in (lambda: machine.succeed("systemctl restart podd.service"),
                      lambda: machine.succeed("kill -KILL $(systemctl show -P MainPID podd.service)"), machine.reboot):
        happening()
        wait_until(lambda: states() == wanted, 120, what=f"{wanted}, and not {states()}")
        agrees(machine)
        invariants_hold(machine)
    after = {name: pods(machine)[name]["generation"] for name in wanted}
    expect(after, {**before, running["pod"]: before[running["pod"]] + 1}, "generations")


# Workers

@case(once="12")
def workers_share_a_pods_socket_and_are_replaced_one_after_the_other(machine):
    workload(machine, "pair", "Type=notify\nListen=socket\nWorkers=2\nOverlap=yes\n")
    # podserve finishes open requests; two generations that only read do not disturb each other.
    machine.put("/etc/podctl/workloads/pair.conf",
                "[Workload]\nExecStart=/usr/lib/podctl/podserve --users ${USERS_FILE}\nType=notify\nListen=socket\n"
                "ReloadSignal=SIGHUP\nProbe=tcp\nWorkers=2\nOverlap=yes\n")
    pod = podctl(machine, "provision alice --tier pair")

    def workers():
        return set(machine.succeed(f"pgrep -x podserve -U {pod['pod']}").split())

    # The pod is ready when the first worker is.
    wait_until(lambda: len(workers()) == 2, 30, what="two workers")
    first = workers()
    least = [2]
    with Load(machine, targets(machine, [pod]), "--connections", 8, "--pause", 0.02) as load:
        restart = machine.start(f"podctl restart {pod['pod']}")
        while restart.running:
            least.append(len(workers()))
        expect(restart.wait().status, 0)

        # The command returns when the successor serves; workers of the predecessor may still finish requests.
        def replaced():
            now = workers()
            least.append(len(now))
            return len(now) == 2 and not now & first

        wait_until(replaced, 30, what="two workers, both of them new")
        load.goes_on()
    load.lost_nothing()
    assert min(least) >= 1, "there was a moment without a worker"
    # One worker dies: the pod continues with the other one, or as a new generation; then there are two again.
    with Load(machine, targets(machine, [pod]), "--connections", 2, "--pause", 0.2) as load:
        machine.succeed(f"kill -KILL {min(workers() - {str(pods(machine)[pod['pod']]['main_pid'])})}")
        wait_until(lambda: len(workers()) == 2 and pods(machine)[pod["pod"]]["state"] == "ready", 60, what="two workers")
        load.goes_on()
    agrees(machine)
    invariants_hold(machine)

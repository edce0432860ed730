"""podd or a main process ends in the middle of an operation: no other pod is delayed, and every decision that was
recorded is carried out."""

from loading import PROGRAMS, Load, invariants_hold, targets, tier, workload
from podctl_testing import agrees, case, curl, expect, podctl, pods, refused, unit, wait_until

#: Binds its port and greets each client. After SIGTERM it accepts no connection and needs more than TimeoutStopSec=.
LEAVING = """#!/usr/bin/python3
import os, signal, socket, time

def leave(*_):
    server.close()
    time.sleep(60)

server = socket.create_server((os.environ["ADDRESS"], int(os.environ["PORT"])), backlog=16)
signal.signal(signal.SIGTERM, leave)
while True:
    connection, _ = server.accept()
    connection.sendall(b"pong")
    connection.close()
"""

#: Connects repeatedly until /run/enough exists; prints how often it was greeted, and all other results.
CALLER = """
import os, socket, time

greeted, others = 0, []
while not os.path.exists("/run/enough"):
    try:
        with socket.create_connection(({address!r}, {port}), 60, ({front_address!r}, 0)) as connection:
            connection.settimeout(60)
            if connection.recv(4) == b"pong":
                greeted += 1
            else:
                others.append("cut")
    except OSError as error:
        others.append(str(error))
    time.sleep(0.05)
print(greeted, others)
"""

KILL_PODD = "kill -KILL $(systemctl show -P MainPID podd.service)"


def tell(machine, pod, behaviour):
    expect(curl(machine, pod, f"/do/{behaviour}")[0], 200, f"told to {behaviour}")


def row(machine, pod):
    return pods(machine)[pod["pod"]]


def processes(machine, pod):
    """The file that lists the processes of the pod's scope."""
    return f"/sys/fs/cgroup{unit(machine, row(machine, pod)['unit'], 'ControlGroup')['ControlGroup']}/cgroup.procs"


def begun(machine, pod, state):
    """Waits until podd has begun to stop POD and has recorded that on the disk."""
    wait_until(lambda: row(machine, pod)["state"] == state, 30, 0.02, what=f"{pod['pod']} is {state}")
    # The store answers this call, after it has written everything before it.
    podctl(machine, f"status {pod['pod']}")


def answers(machine):
    return machine.run("podctl --json pods").status == 0


def place(machine, name, text):
    workload(machine, name, f"Type=notify\nListen=socket\n{text}")
    return podctl(machine, f"provision {name} --tier {name}")


@case()
def a_scope_that_does_not_end_delays_nobody_but_its_own_pod(machine):
    other = podctl(machine, "provision alice")
    pod = place(machine, "clinging", "TimeoutStopSec=40s\n")
    cold = podctl(machine, "provision bob --tier enterprise")
    machine.succeed(f"podctl evict {cold['pod']}")
    tell(machine, pod, "grandchildren")
    before = row(machine, pod)
    left = processes(machine, pod)
    machine.succeed(f"{KILL_PODD}; kill -KILL {before['main_pid']}")
    wait_until(lambda: answers(machine), 60, what="podd is back")
    machine.succeed(f"podctl start {cold['pod']}", timeout=60)
    assert machine.run(f"grep -q . {left}").status == 0, "what was left behind had ended before others were served"
    expect((row(machine, other)["state"], row(machine, cold)["state"]), ("ready", "ready"))
    invariants_hold(machine)
    wait_until(lambda: row(machine, pod)["state"] == "ready", 90, what="the pod is back")
    now = row(machine, pod)
    expect((now["generation"], now["last_exit_reason"]), (before["generation"] + 1, "unknown-adopted"))
    agrees(machine)
    invariants_hold(machine)


@case(once="13")
def a_stop_and_an_eviction_hold_though_podd_dies_in_the_middle(machine):
    for verb, state in (("stop", "stopped"), ("evict", "cold")):
        # A second pod, whose scope takes long to stop, keeps the next podd busy while it adopts the first one.
        clinging = place(machine, f"clinging{verb}", "TimeoutStopSec=25s\n")
        tell(machine, clinging, "grandchildren")
        pod = place(machine, f"slow{verb}", "TimeoutStopSec=60s\n")
        tell(machine, pod, "ignore_term")
        before, other = row(machine, pod), row(machine, clinging)
        left = processes(machine, pod)
        asked = machine.start(f"podctl {verb} {pod['pod']}")
        begun(machine, pod, "stopping")
        # Kills podctl, too, because it would repeat the call.
        machine.succeed(f"pkill -KILL -x podctl; {KILL_PODD}; kill -KILL {other['main_pid']}")
        asked.wait(60)
        wait_until(lambda: answers(machine), 30, what="podd is back")
        assert machine.run(f"grep -q . {left}").status == 0, "podd did not come back before the pod had ended"
        machine.succeed(f"kill -KILL {before['main_pid']}")
        wait_until(lambda: row(machine, pod)["state"] == state, 60, what=f"{pod['pod']} is {state}")
        # No generation is launched afterwards.
        machine.succeed("systemctl restart podd.service", timeout=60)
        wait_until(lambda: answers(machine), 60)
        now = row(machine, pod)
        expect((now["state"], now["generation"]), (state, 1), f"after the {verb}")
        expect(now["last_exit_reason"], "operator")
    agrees(machine)
    invariants_hold(machine)


def replaced_though_podd_dies(machine, pod):
    before = row(machine, pod)
    left = processes(machine, pod)
    asked = machine.start(f"podctl restart {pod['pod']}")
    begun(machine, pod, "stopping")
    machine.succeed(f"pkill -KILL -x podctl; {KILL_PODD}")
    asked.wait(60)
    wait_until(lambda: answers(machine), 30, what="podd is back")
    found = row(machine, pod)
    assert machine.run(f"grep -q . {left}").status == 0, "podd did not come back before the pod had ended"
    assert found["state"] in ("draining", "stopping"), f"on its way out, and called {found['state']}"
    machine.succeed(f"kill -KILL {before['main_pid']}")
    wait_until(lambda: row(machine, pod)["state"] == "ready", 60, what="the next generation")
    now = row(machine, pod)
    expect((now["generation"], now["last_exit_reason"], now["restarts"]), (before["generation"] + 1, "operator", 0))


@case(once="13")
def a_restart_goes_on_though_podd_dies_in_the_middle(machine):
    pod = place(machine, "slow", "TimeoutStopSec=60s\nOverlap=no\n")
    tell(machine, pod, "ignore_term")
    replaced_though_podd_dies(machine, pod)

    machine.put(f"{PROGRAMS}/leaving", LEAVING, mode=0o755)
    machine.put("/etc/podctl/workloads/leaving.conf",
                f"[Workload]\nExecStart=/usr/bin/python3 -ES {PROGRAMS}/leaving\nType=exec\nListen=port\nProbe=tcp\n"
                "TimeoutStopSec=60s\n")
    tier(machine, "leaving", "leaving")
    pod = podctl(machine, "provision erin --tier leaving")
    calling = machine.start("exec python3 -", input=CALLER.format(**pod))
    replaced_though_podd_dies(machine, pod)
    machine.succeed("touch /run/enough")
    called = calling.wait(90)
    machine.succeed("rm /run/enough")
    expect((called.status, called.stdout.partition(" ")[2].strip()), (0, "[]"), f"who was not greeted {called.stderr}")
    agrees(machine)
    invariants_hold(machine)


@case(once="13")
def a_restart_keeps_its_reason_though_the_pod_ends_while_podd_is_away(machine):
    pod = place(machine, "slow", "TimeoutStopSec=60s\nOverlap=no\n")
    tell(machine, pod, "ignore_term")
    before, left = row(machine, pod), processes(machine, pod)
    asked = machine.start(f"podctl restart {pod['pod']}")
    begun(machine, pod, "stopping")
    machine.succeed(f"pkill -KILL -x podctl; {KILL_PODD}; systemctl stop podd.service", timeout=60)
    asked.wait(60)
    assert machine.run(f"grep -q . {left}").status == 0, "the pod had ended before podd was gone"
    machine.succeed(f"kill -KILL {before['main_pid']}")
    wait_until(lambda: machine.run(f"grep -q . {left}").status != 0, 30, what="the pod has ended")
    machine.succeed("systemctl start podd.service", timeout=60)
    wait_until(lambda: row(machine, pod)["state"] == "ready", 60, what="the next generation")
    now = row(machine, pod)
    expect((now["generation"], now["last_exit_reason"], now["restarts"]), (before["generation"] + 1, "operator", 0))
    entries = machine.succeed(f"journalctl -o cat POD_UNIT={before['unit']} POD_REASON=operator")
    assert "ended while podd was away: operator" in entries, entries
    agrees(machine)
    invariants_hold(machine)


@case(once="13")
def an_eviction_that_waits_for_connections_keeps_its_reason_over_podds_death(machine):
    workload(machine, "patient", "Type=exec\nListen=port\nProbe=tcp\nTimeoutDrainSec=2min\nEnvironment=PATIENCE=120\n")
    pod = podctl(machine, "provision carol --tier patient")
    idle = machine.start(f"exec socat -u TCP:{pod['address']}:{pod['port']},bind={pod['front_address']} -")
    wait_until(lambda: podctl(machine, f"status {pod['pod']}")["connections"] == 1, 30, what="one connection")
    asked = machine.start(f"podctl evict {pod['pod']}")
    begun(machine, pod, "draining")
    machine.succeed(KILL_PODD)
    asked.wait(60)
    wait_until(lambda: answers(machine), 60, what="podd is back")
    idle.signal()
    wait_until(lambda: row(machine, pod)["state"] == "cold", 90, what="evicted")
    expect(row(machine, pod)["last_exit_reason"], "operator")


@case()
def a_pod_whose_main_process_has_ended_is_not_ready_while_the_rest_of_it_is_stopped(machine):
    pod = place(machine, "clinging", "TimeoutStopSec=20s\n")
    tell(machine, pod, "grandchildren")
    machine.succeed(f"kill -SEGV {row(machine, pod)['main_pid']}")
    wait_until(lambda: row(machine, pod)["state"] == "stopping", 15, 0.05, what="the pod is being stopped")
    # `podctl start` waits for the next generation and does not change the recorded reason.
    machine.succeed(f"podctl start {pod['pod']} || podctl start {pod['pod']}", timeout=90)
    now = row(machine, pod)
    expect((now["state"], now["generation"], now["last_exit_reason"]), ("ready", 2, "signal:SEGV"))
    agrees(machine)


@case()
def a_main_process_that_is_moved_out_of_its_scope_is_ended(machine):
    pod = place(machine, "moved", "")
    before = row(machine, pod)
    machine.succeed(f"for process in $(cat {processes(machine, pod)}); do "
                    "echo $process > /sys/fs/cgroup/cgroup.procs; done")
    wait_until(lambda: (row(machine, pod)["state"], row(machine, pod)["generation"]) == ("ready", 2), 60, what="replaced")
    assert machine.run(f"test -e /proc/{before['main_pid']}").status != 0, "the first one lives on, without a limit"
    # The same while podd is away.
    before = row(machine, pod)
    machine.succeed("systemctl stop podd.service; "
                    f"echo {before['main_pid']} > /sys/fs/cgroup/cgroup.procs; systemctl start podd.service", timeout=60)
    wait_until(lambda: (row(machine, pod)["state"], row(machine, pod)["generation"]) == ("ready", 3), 60, what="replaced")
    assert machine.run(f"test -e /proc/{before['main_pid']}").status != 0, "the second one lives on, without a limit"
    expect(curl(machine, pod, "/")[0], 200)
    agrees(machine)
    invariants_hold(machine)


@case(once="12")
def a_slow_program_with_a_short_queue_is_not_taken_for_one_that_hangs(machine):
    # The accept queue has room for three; a fourth client is not even connected.
    workload(machine, "short", "Type=exec\nListen=port\nProbe=http:/\nProbeSec=1s\nProbeTimeoutSec=2s\nProbeFailures=4\n")
    pod = podctl(machine, "provision dave --tier short")
    before = row(machine, pod)
    tell(machine, pod, "slow")
    with Load(machine, targets(machine, [pod], "/", tokens=False), "--connections", 12) as load:
        load.goes_on(60)
    now = row(machine, pod)
    for key in ("main_pid", "generation", "restarts", "state"):
        expect(now[key], before[key], f"{key} of the slow pod")
    assert load.figures()["failed"] == 0, load.figures()["failures"]


@case(once="13")
def a_rollout_stops_at_a_version_that_hangs_soon_after_it_is_ready(machine):
    text = ("Type=notify\nListen=socket\nProbe=http:/\nProbeSec=1s\nProbeTimeoutSec=1s\nProbeFailures=2\n"
            "TimeoutStopSec=20s\n")
    workload(machine, "versions", text)
    placed = [podctl(machine, f"provision version{number} --tier versions") for number in range(3)]
    # The program becomes ready, then answers nobody and ignores SIGTERM.
    hangs = ("ExecStart=\nExecStart=/usr/bin/python3 -ES -c 'import signal, socket, os, time; "
             "signal.signal(15, signal.SIG_IGN); "
             "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b\"READY=1\", os.environ[\"NOTIFY_SOCKET\"]); "
             "time.sleep(10000)'")
    machine.put("/etc/podctl/workloads/versions.conf.d/new.conf", f"[Workload]\n{hangs}\n")
    line = refused(machine, "podctl rollout --tier versions --max-parallel 1 --healthy-sec 10s", 1, "health", timeout=180)
    first = next(each["pod"] for each in placed if each["pod"] in line)
    rows = pods(machine)
    for each in placed:
        if each["pod"] != first:
            expect((rows[each["pod"]]["state"], rows[each["pod"]]["generation"]), ("ready", 1), each["pod"])

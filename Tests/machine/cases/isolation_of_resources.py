"""A pod exhausts only its own limits: bombs and floods do not affect its neighbour, podd or the host."""

import json

from attacking import attackers, requests_during
from podctl_testing import case, cgroup, expect, names_an_oom_kill, podctl, wait_until


def untouched(machine, neighbour):
    """The neighbour's and podd's processes, which must be the same before and after."""
    return neighbour.main_pid(), machine.succeed("systemctl show -P MainPID podd.service")


def last_generation(machine, pod):
    """The newest ended generation in `status`, with its evidence."""
    ended = [each for each in podctl(machine, f"status {pod}")["generations"] if each["reason"]]
    return ended[0]


@case()
def a_fork_bomb_stops_at_tasks_max(machine):
    pods = attackers(machine, "mallory", "alice")
    mallory, alice = pods["mallory"], pods["alice"]
    before = untouched(machine, alice)
    bomb = mallory.start("""
while True:
    try: os.fork()
    except OSError: time.sleep(0.1)
""", seconds=600)
    wait_until(lambda: "max 0" not in cgroup(machine, mallory.unit, "pids.events"), 120, what="the bomb at its limit")
    expect(cgroup(machine, mallory.unit, "pids.max"), "64")
    assert int(cgroup(machine, mallory.unit, "pids.current")) <= 64
    for _ in range(5):
        assert alice.alive()
    podctl(machine, "provision bob --tier attacksocket", timeout=120)
    machine.succeed(f"podctl stop {mallory.pod}", timeout=120)
    bomb.wait(60)
    expect(machine.run(f"pgrep -c -U {1900000000 + int(mallory.pod.split('-')[1])}").stdout.strip(), "0",
           "processes after the stop")
    expect(untouched(machine, alice), before)


@case()
def a_memory_bomb_ends_itself_and_the_reason_is_its_own_limit(machine):
    pods = attackers(machine, "mallory", "alice")
    mallory, alice = pods["mallory"], pods["alice"]
    before = untouched(machine, alice)
    bomb = mallory.start("""
held = []
while True: held.append(bytearray(os.urandom(1 << 20)))
""")
    requests_during(machine, alice, bomb)
    wait_until(lambda: mallory.state()["last_exit_reason"], 120, what="the end on record")
    expect(mallory.state()["last_exit_reason"], "oom-own-limit")
    evidence = json.loads(last_generation(machine, mallory.pod)["evidence"])
    assert names_an_oom_kill(evidence, own_limit=True), evidence
    # podd launches another generation.
    wait_until(lambda: mallory.state()["state"] == "ready", 120)
    assert mallory.alive() and mallory.state()["unit"] != mallory.unit
    expect(untouched(machine, alice), before)
    expect(alice.state()["restarts"], 0)


@case()
def a_bomb_in_memory_backed_files_is_the_pods_own_too(machine):
    pods = attackers(machine, "mallory", "alice", tier="MemoryMax=64M")
    mallory, alice = pods["mallory"], pods["alice"]
    before = untouched(machine, alice)
    mallory.start("""
for place in ("/tmp", "/var/tmp", "/dev/shm"):
    try:
        with open(f"{place}/bomb", "wb") as file:
            while True: file.write(bytes(1 << 20))
    except OSError as error: print(place, error)
held = []
while True: held.append(bytearray(os.urandom(1 << 20)))
""").wait(150)
    wait_until(lambda: mallory.state()["last_exit_reason"], 120)
    expect(mallory.state()["last_exit_reason"], "oom-own-limit")
    expect(untouched(machine, alice), before)


@case()
def each_end_says_why(machine):
    ends = {"segv": ("os.kill(os.getppid(), signal.SIGSEGV)", "signal:SEGV"),
            "kill": ("os.kill(os.getppid(), signal.SIGKILL)", "signal:KILL"),
            "abrt": ("os.kill(os.getppid(), signal.SIGABRT)", "signal:ABRT")}
    pods = attackers(machine, *ends, "exit")
    for name, (code, _) in ends.items():
        pods[name].start(code).wait()
    for name, (_, reason) in ends.items():
        wait_until(lambda: pods[name].state()["last_exit_reason"], 60)
        expect(pods[name].state()["last_exit_reason"], reason, name)
        # The pod must be ready again before its workload file changes.
        wait_until(lambda: pods[name].state()["state"] == "ready", 60)
    # A program that exits by itself.
    machine.put("/etc/podctl/workloads/attacksocket.conf.d/exit.conf",
                "[Workload]\nExecStart=\nExecStart=/usr/bin/python3 -c 'import os, socket, time; "
                "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b\"READY=1\", os.environ[\"NOTIFY_SOCKET\"]); "
                "time.sleep(1); os._exit(3)'\n")
    machine.run(f"podctl restart {pods['exit'].pod}", timeout=120)
    wait_until(lambda: pods["exit"].state()["last_exit_reason"] == "exited:3", 60, what="exited:3")
    text = machine.succeed(f"journalctl -b POD={pods['segv'].pod} -t podd")
    assert "signal:SEGV" in text, text
    # Otherwise the program would keep exiting, also during the cleanup for the next case.
    machine.succeed(f"podctl stop {pods['exit'].pod}", timeout=60)


@case()
def a_pod_that_floods_podd_and_the_journal_disturbs_nobody(machine):
    pods = attackers(machine, "mallory", "alice")
    mallory, alice = pods["mallory"], pods["alice"]
    before = untouched(machine, alice)
    flood = mallory.start("""
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.setblocking(False)
manager.connect(os.environ["NOTIFY_SOCKET"])
sent = 0
end = time.monotonic() + 20
while time.monotonic() < end:
    for text in (b"READY=1", b"STOPPING=1", b"X" * 4000, b"FDSTORE=1", b"MAINPID=1", b"\\xff\\0" * 100):
        try: manager.send(text); sent += 1
        except OSError: pass
    os.write(1, b"flood " * 100 + b"\\n")
answer(sent)
""", seconds=240)
    # podd must not accept descriptors from this stream socket.
    placed = podctl(machine, "provision bob --tier attacksocket", timeout=120)
    expect(placed["state"], "ready")
    machine.succeed("podctl status", timeout=60)
    answered = requests_during(machine, alice, flood, 240)
    status, sent, errors = flood.wait(240)
    assert status == 0 and int(sent) > 100 and answered > 0, (status, sent, errors, answered)
    expect(untouched(machine, alice), before)
    expect(mallory.state()["state"], "ready")
    # The output of other pods still is in the journal.
    machine.succeed(f"podctl restart {alice.pod}", timeout=120)
    wait_until(lambda: f"{alice.pod} is ready" in machine.succeed(f"journalctl -b -t podd POD={alice.pod}"), 60)


@case()
def a_pod_cannot_pass_descriptors_to_podd(machine):
    mallory = attackers(machine, "mallory")["mallory"]
    count = "ls /proc/$(systemctl show -P MainPID podd.service)/fd | wc -l"
    before = int(machine.succeed(count))
    mallory.run("""
import array
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for _ in range(200):
    manager.sendmsg([b"FDSTORE=1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 100))],
                    0, os.environ["NOTIFY_SOCKET"])
answer(0)
""")
    machine.succeed("podctl status")
    assert int(machine.succeed(count)) <= before + 5, "podd keeps descriptors that a pod sent"


@case()
def a_pod_that_fills_the_disk_leaves_room_for_podd(machine):
    pods = attackers(machine, "mallory", "alice")
    mallory = pods["mallory"]
    try:
        # ext4 reserves blocks for root, so podd can still write its database.
        expect(mallory.run("""
with open("users/mallory/fill", "wb") as file:
    size, step = 0, 1 << 28
    while step >= 1 << 12:
        try: os.posix_fallocate(file.fileno(), size, step); size += step
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
            step //= 2
answer(outcome(lambda: open("users/mallory/more", "wb").write(bytes(1 << 20))))
""", 300), "ENOSPC")
        placed = podctl(machine, "provision bob --tier attacksocket", timeout=120)
        expect(placed["state"], "ready")
        assert pods["alice"].alive()
    finally:
        machine.run(f"rm -f /var/lib/podctl/pods/{mallory.pod}/users/mallory/fill")

"""A front door holds requests while a pod with Listen=port is restarted (org.podctl1(5))."""

from podctl_testing import case, complaints, expect, moment, podctl, pods, wait_until

LOG = "/run/front-door.log"
TIER = """\
[Tier]
Workload=redis
UsersPerPod=1
MemoryMax=128M
MemoryHigh=112M
TasksMax=64
"""


def heard(machine):
    return machine.run(f"cat {LOG}").stdout.split("\n")[:-1]


@case(once="13")
def a_front_door_is_told_to_hold_and_to_release_and_one_that_is_silent_holds_nothing_up(machine):
    machine.put("/etc/podctl/tiers/cache.conf", TIER)
    place = podctl(machine, "provision alice@example.com --tier cache", timeout=180)
    pod = place["pod"]
    machine.succeed(f"rm -f {LOG}")
    door = machine.start(f"exec /payload/files/front-door {LOG}")
    wait_until(lambda: heard(machine) == ["attached"], 60, what="a front door")
    machine.succeed(f"podctl restart {pod}", timeout=180)
    wait_until(lambda: heard(machine) == ["attached", f"hold {pod}", f"release {pod}"], 60, what="hold and release")
    door.signal(9)
    door.wait(30)

    since = moment(machine)
    machine.succeed(f"rm -f {LOG}")
    silent = machine.start(f"exec /payload/files/front-door {LOG} --silent")
    wait_until(lambda: heard(machine) == ["attached"], 60, what="a silent front door")
    machine.succeed(f"podctl restart {pod}", timeout=180)
    expect(pods(machine)[pod]["state"], "ready")
    assert any("does not answer" in line for line in complaints(machine, since)), complaints(machine, since)
    silent.signal(9)
    silent.wait(30)

    # podd does not wait for a front door that has left.
    since = moment(machine)
    machine.succeed(f"podctl restart {pod}", timeout=180)
    expect(complaints(machine, since), [])

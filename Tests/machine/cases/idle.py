"""Pods that nobody uses sleep, and connections are use (IdleFreezeSec= and IdleStopSec= of podctl-tier(5))."""

from podctl_testing import case, curl, expect, podctl, pods, token, wait_until

IDLE = "[Tier]\nIdleFreezeSec=1s\nIdleStopSec=6s\n"
CACHE = IDLE + "Workload=redis\nUsersPerPod=1\nMemoryMax=128M\nMemoryHigh=112M\nTasksMax=64\n"


@case()
def a_pod_that_nobody_uses_sleeps_and_one_with_a_quiet_connection_does_not(machine):
    def story(pod):
        return machine.succeed(f"journalctl -o cat --no-pager -u podd.service POD={pod['pod']} POD_REASON=idle")

    def state(pod):
        return pods(machine)[pod["pod"]]["state"]

    machine.put("/etc/podctl/tiers/cache.conf", CACHE)
    machine.put("/etc/podctl/tiers/free.conf.d/idle.conf", IDLE)
    used = podctl(machine, "provision bob --tier cache", timeout=180)
    # Quiet, as a WebSocket may be.
    client = machine.start(
        f"exec socat -T 600 TCP:{used['address']}:{used['port']},bind={used['front_address']} PTY,link=/run/quiet")
    wait_until(lambda: podctl(machine, f"status {used['pod']}")["connections"] == 1, 30, what="bob's connection")
    wait_until(lambda: state(used) == "ready", 30, what="bob's pod, if it slept by then")
    assert "nobody has had a connection" in podctl(machine, f"explain {used['pod']}")["next"]["event"]
    before = (story(used), pods(machine)[used["pod"]])

    # podd's probes are no use. It is frozen, which a podd that was killed finds so, and then stopped.
    idle = podctl(machine, "provision alice")
    wait_until(lambda: "is frozen; the next connection wakes it" in story(idle), 60, what="an idle pod is frozen")
    machine.succeed("systemctl kill --signal=KILL podd.service")
    wait_until(lambda: "is being stopped" in story(idle), 60, what="an idle pod is stopped")
    wait_until(lambda: state(idle) == "cold", 60, what="the end of an idle pod")
    expect(pods(machine)[idle["pod"]]["last_exit_reason"], "idle")
    after = pods(machine)[used["pod"]]
    expect((story(used), after["state"], after["unit"]), (before[0], "ready", before[1]["unit"]), "bob's pod is in use")
    # The next connection wakes it, without podctl.
    expect(curl(machine, idle, "/api/v2/version", user_token=token(machine, "alice"))[0], 200)
    expect(pods(machine)[idle["pod"]]["generation"], 2)

    # The connection has ended: nobody uses this one any more, either.
    client.signal(15)
    client.wait(30)
    wait_until(lambda: "is frozen" in story(used).removeprefix(before[0]), 60, what="an idle pod that binds by itself")
    wait_until(lambda: state(used) == "cold", 60, what="the end of an idle pod that binds by itself")

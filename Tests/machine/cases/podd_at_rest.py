"""podd with nothing to do does nothing."""

from podctl_testing import case, complaints, expect, moment, podctl, unit, wait_until


@case()
def an_idle_podd_has_one_thread_and_hardly_wakes(machine):
    since = moment(machine)
    for user, tier in (("alice@example.com", "free"), ("bob", "basic"), ("carol", "pro")):
        podctl(machine, f"provision {user} --tier {tier}", timeout=180)
    process = unit(machine, "podd.service", "MainPID")["MainPID"]
    wait_until(lambda: machine.succeed(f"ls /proc/{process}/task").split() == [process], 30,
               what="one thread, when the store has no work")
    # Counted by the guest itself, in one command: the question wakes nobody. Ten of the guest's seconds.
    # The quietest of three times: once a minute the history is written, too, by a thread that then ends.
    counted = [tuple(map(int, machine.succeed(f"""
        woken() {{ awk '/^voluntary_ctxt_switches/ {{ sum += $2 }} END {{ print sum }}' /proc/{process}/task/*/status; }}
        first=$(woken); sleep 10; echo $(( $(woken) - first )); ls /proc/{process}/task | wc -l
    """).split())) for _ in range(3)]
    assert any(wakings <= 10 and threads == 1 for wakings, threads in counted), f"wake-ups in ten seconds, threads: {counted}"
    expect(unit(machine, "podd.service", "WatchdogUSec")["WatchdogUSec"], "30s")
    expect(complaints(machine, since), [])
    print(machine.run("systemd-analyze security --no-pager podd.service | tail -1").stdout.strip())

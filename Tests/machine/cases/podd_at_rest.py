"""podd uses no CPU time while there is nothing to do."""

from podctl_testing import case, complaints, expect, moment, podctl, unit, wait_until


@case()
def an_idle_podd_has_one_thread_and_hardly_wakes(machine):
    since = moment(machine)
    for user, tier in (("alice@example.com", "free"), ("bob", "basic"), ("carol", "pro")):
        podctl(machine, f"provision {user} --tier {tier}", timeout=180)
    process = unit(machine, "podd.service", "MainPID")["MainPID"]
    wait_until(lambda: machine.succeed(f"ls /proc/{process}/task").split() == [process], 30,
               what="one thread, when the store has no work")
    # The guest counts by itself in one command of ten seconds, so that the measurement does not wake podd. The lowest of
    # three counts is used, because once a minute a thread writes the history and then ends.
    counted = [tuple(map(int, machine.succeed(f"""
        woken() {{ awk '/^voluntary_ctxt_switches/ {{ sum += $2 }} END {{ print sum }}' /proc/{process}/task/*/status; }}
        first=$(woken); sleep 10; echo $(( $(woken) - first )); ls /proc/{process}/task | wc -l
    """).split())) for _ in range(3)]
    assert any(wakings <= 10 and threads == 1 for wakings, threads in counted), f"wake-ups in ten seconds, threads: {counted}"
    expect(unit(machine, "podd.service", "WatchdogUSec")["WatchdogUSec"], "30s")
    expect(complaints(machine, since), [])
    print(machine.run("systemd-analyze security --no-pager podd.service | tail -1").stdout.strip())

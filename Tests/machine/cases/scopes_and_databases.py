"""podd finds stray scopes, left-over processes and databases that it cannot use."""

from podctl_testing import (
    agrees, case, complaints, expect, moment, pods, podctl, refused, unit, wait_until)

FAMILY = """\
#!/bin/bash
# A program with a child in its own session and a grandchild without a parent that waits for it.
setsid sleep 100000 &
(setsid sleep 100001 &)
exec python3 -m http.server --bind "$ADDRESS" "$PORT"
"""

WORKLOAD = """\
[Workload]
ExecStart=/usr/local/lib/podctl-test/family
Environment=ADDRESS=${ADDRESS} PORT=${PORT}
Listen=port
Type=exec
Probe=tcp
"""


@case()
def a_scope_that_nobody_owns_is_stopped_when_podd_starts(machine):
    podctl(machine, "provision alice@example.com", timeout=180)
    since = moment(machine)
    machine.succeed("systemd-run --unit=pod-777-1.scope --scope --slice=pods-free.slice sleep infinity "
                    "> /dev/null 2>&1 & for i in {1..300}; do systemctl -q is-active pod-777-1.scope && break; "
                    "sleep 0.1; done")
    expect(unit(machine, "pod-777-1.scope", "ActiveState")["ActiveState"], "active")
    machine.succeed("systemctl restart podd.service")
    wait_until(lambda: machine.run("systemctl is-active -q pod-777-1.scope").status != 0, 60, what="the stray scope is stopped")
    agrees(machine)
    said = machine.succeed(
        f"journalctl --sync && journalctl -o cat --since=@{since} MESSAGE_ID=81b7baa8ab0a434a955d76364367ca5c")
    expect(said.splitlines(), ["pod-777-1.scope belongs to no pod and was stopped."])
    expect(complaints(machine, since, ["pod-777-1.scope belongs to no pod"]), [])
    expect(pods(machine)["pod-001"]["state"], "ready")


@case()
def nothing_survives_the_main_process_of_a_pod(machine):
    machine.put("/usr/local/lib/podctl-test/family", FAMILY, mode=0o755)
    machine.put("/etc/podctl/workloads/family.conf", WORKLOAD)
    machine.put("/etc/podctl/tiers/family.conf", "[Tier]\nWorkload=family\nUsersPerPod=1\nMemoryMax=128M\n")
    for adopted in (False, True):
        place = podctl(machine, "provision anna --tier family", timeout=180)
        pod = place["pod"]
        if adopted:
            machine.succeed("systemctl restart podd.service")
        before = pods(machine)[pod]
        family = machine.succeed(f"cat /sys/fs/cgroup/pods.slice/pods-family.slice/{before['unit']}/cgroup.procs")
        expect(len(family.split()), 3, "processes of the pod")
        machine.succeed(f"kill -9 {before['main_pid']}")
        wait_until(lambda: pods(machine)[pod]["state"] == "ready" and pods(machine)[pod]["unit"] != before["unit"],
                   120, what="the next generation")
        for pid in family.split():
            assert machine.run(f"test -e /proc/{pid}").status != 0, f"process {pid} is left"
        assert machine.run(f"systemctl is-active -q {before['unit']}").status != 0, f"{before['unit']} is left"
        agrees(machine)


def refuses_the_database(machine, words, spoil):
    """Expects that podd does not change a database that it cannot use, and reports it once in the journal, the unit's
    status and podctl's error."""
    podctl(machine, "provision alice@example.com", timeout=180)
    machine.succeed("systemctl stop podd.service")
    # A backup needs the content of the -wal file, too.
    machine.succeed("cd /var/lib/podctl && sqlite3 podctl.db 'PRAGMA wal_checkpoint(TRUNCATE)' && "
                    "cp -p podctl.db /root/good.db")
    process = unit(machine, "pod-001-1.scope", "InvocationID")
    machine.succeed(spoil)
    kept = machine.succeed("sha256sum /var/lib/podctl/podctl.db")
    since = moment(machine)
    assert machine.run("systemctl start podd.service").status != 0
    wait_until(lambda: unit(machine, "podd.service", "ActiveState")["ActiveState"] == "failed", 60,
               what="podd.service failed")
    expect(unit(machine, "podd.service", "ExecMainStatus"), {"ExecMainStatus": "78"})
    status = machine.run("systemctl status --no-pager --full podd.service").stdout
    for word in words:
        assert word in status, f"{word!r} is not in {status}"
    errors = machine.succeed(f"journalctl --sync && journalctl -o cat -p err --since=@{since} SYSLOG_IDENTIFIER=podd")
    expect(len(errors.splitlines()), 1, f"errors of podd ({errors})")
    refused(machine, "podctl pods", 69, "systemctl status podd.service")
    expect(machine.succeed("sha256sum /var/lib/podctl/podctl.db"), kept, "the database")
    expect(unit(machine, "pod-001-1.scope", "InvocationID"), process, "the pod's scope")
    # After the repair podd can be started manually, without `systemctl reset-failed`.
    machine.succeed("cd /var/lib/podctl && rm -f podctl.db-* && mv /root/good.db podctl.db && "
                    "systemctl start podd.service")
    wait_until(lambda: machine.run("podctl --json pods").status == 0, 60, what="podd answers")
    expect(unit(machine, "pod-001-1.scope", "InvocationID"), process, "the pod's scope")
    agrees(machine)


@case(once="13")
def a_database_of_a_newer_version_is_refused_with_the_way_out(machine):
    refuses_the_database(machine, ["written by a newer podctl", "v99", "Install the newer podctl"], """
        sqlite3 /var/lib/podctl/podctl.db "INSERT INTO grdb_migrations VALUES ('v99')"
    """)


@case(once="12")
def a_damaged_database_is_refused_with_the_way_out(machine):
    refuses_the_database(machine, ["cannot be used as podctl's database", "backup"], """
        head -c 40960 /dev/urandom > /var/lib/podctl/podctl.db
    """)

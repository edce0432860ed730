"""Checks that the test machine has everything that podctl needs; otherwise no other result means anything."""

from podctl_testing import case, expect, wait_until


@case(package=False)
def a_test_machine_runs_systemd_on_a_unified_cgroup_tree(machine):
    expect(machine.succeed("cat /proc/1/comm").strip(), "systemd")
    expect(machine.succeed("stat -f -c %T /sys/fs/cgroup").strip(), "cgroup2fs")
    controllers = machine.succeed("cat /sys/fs/cgroup/cgroup.controllers").split()
    assert {"cpu", "io", "memory", "pids"} <= set(controllers), controllers
    expect(machine.run("systemctl is-system-running").stdout.strip(), "running")


@case(package=False)
def a_test_machine_measures_pressure_and_answers_for_polkit(machine):
    assert "some avg10=" in machine.succeed("cat /proc/pressure/memory")
    expect(machine.run("pkcheck --action-id org.freedesktop.systemd1.manage-units --process $$").status, 0)
    denied = machine.run(
        "pkcheck --action-id org.freedesktop.systemd1.manage-units --process $$", user="visitor")
    assert denied.status != 0, denied


@case(package=False)
def a_scope_gets_the_limits_it_asked_for(machine):
    machine.succeed("systemd-run --scope --unit=probe -p MemoryMax=64M -p TasksMax=10 "
                    "cat /sys/fs/cgroup/system.slice/probe.scope/{memory,pids}.max > /tmp/limits")
    expect(machine.succeed("cat /tmp/limits").split(), [str(64 << 20), "10"])


@case(package=False)
def commands_run_side_by_side_and_as_ordinary_users(machine):
    machine.succeed("mkfifo -m 666 /tmp/gate")
    waiting = machine.start("cat /tmp/gate")
    expect(machine.succeed("id -un", user="visitor").strip(), "visitor")
    assert waiting.running
    machine.succeed("echo through > /tmp/gate", user="visitor")
    expect(waiting.wait(30), (0, "through\n", ""))


@case(package=False, once="12")
def a_reboot_keeps_everything_and_a_power_cut_what_was_flushed(machine):
    first = machine.boot_id
    machine.succeed("echo written > /root/written")
    machine.reboot()
    assert machine.boot_id != first
    expect(machine.succeed("cat /root/written").strip(), "written")
    machine.succeed("echo flushed > /root/flushed && sync /root/flushed /root && echo lost > /root/lost")
    machine.power_cut()
    machine.boot()
    expect(machine.succeed("cat /root/flushed").strip(), "flushed")
    assert machine.run("grep -q lost /root/lost").status != 0, "what was not flushed survived a power cut"


@case(package=False, memory=512, cpus=1, once="13")
def the_bus_and_systemd_may_be_restarted_under_the_harness(machine):
    machine.succeed("systemctl daemon-reexec")
    wait_until(lambda: machine.run("systemctl is-system-running").stdout.strip() in ("running", "degraded"), 60)
    machine.succeed("systemctl restart dbus.service")
    expect(machine.succeed("systemctl is-active dbus.service").strip(), "active")

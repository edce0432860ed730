"""Bad names, bad files, a full disk, programs that do not start: each is reported in one line that says what is wrong and
where, and all other pods keep running."""

import shlex

from podctl_testing import (
    case, curl, expect, placement, podctl, pods, refused, token, wait_until)

ALICE, BOB = "alice@example.com", "bob@example.com"

# There is no name with a NUL, because neither arguments of a program nor strings of D-Bus can contain one.
BAD_NAMES = {
    "a path": "../x", "nothing": "", "a space": "a b@example.com", "a newline": "alice\n@example.com",
    "an umlaut": "jürgen@example.com", "ten kilobytes": "a" * 10_240, "255 bytes": "a" * 255,
    "a leading dot": ".alice", "a slash": "a/b", "two dots inside a path": "a/../b", "a quote": "a'b",
    "an escape": "a\x1b[2Jb", "not UTF-8": b"a\xff",
}


def quoted(name):
    if isinstance(name, bytes):
        return "$'" + "".join(f"\\x{byte:02x}" for byte in name) + "'"
    return shlex.quote(name)


@case(once="12")
def a_name_that_is_no_users_name_is_refused_everywhere_and_changes_nothing(machine):
    podctl(machine, f"provision {ALICE}")
    before = placement(machine)
    for what, name in BAD_NAMES.items():
        line = refused(machine, f"podctl provision {quoted(name)}", 64)
        assert len(line) < 500 and "\x1b" not in line, f"{what}: {line!r}"
    refused(machine, "podctl provision -- -alice", 64, "starts with '-'")
    refused(machine, "podctl deprovision ../x", 64)
    refused(machine, "podctl status ../x", 64)
    refused(machine, "podctl logs ../x", 64)
    for verb in ("start", "stop", "restart", "reset"):
        refused(machine, f"podctl {verb} ../x", 64)
    # podd itself refuses bad names, without podctl's check.
    for name in (name for name in BAD_NAMES.values() if isinstance(name, str)):
        called = machine.run(
            f"busctl call org.podctl1 /org/podctl1 org.podctl1.Manager Provision ssb -- {quoted(name)} '' false")
        assert called.status != 0 and "user name" in called.stderr, called
    expect(placement(machine), before)


@case(once="13")
def the_longest_and_oddest_names_that_are_allowed_work(machine):
    for name in ("a" * 254, "x", "a._%+@-b", "a..b"):
        pod = podctl(machine, f"provision {name}")
        expect((pod["user"], pod["state"]), (name, "ready"))
        expect(curl(machine, pod, "/api/v2/version", user_token=token(machine, name))[0], 200)


@case(once="12")
def a_file_of_users_with_a_bad_line_is_refused_as_a_whole(machine):
    podctl(machine, f"provision {ALICE}")
    before = placement(machine)
    machine.put("/root/users", "bob@example.com\n../x\ncarol@example.com free more\n")
    refused(machine, "podctl provision --from-file /root/users", 64, "/root/users:2", "1 more bad line")
    refused(machine, "podctl --json provision --from-file /root/missing", 64, "/root/missing")
    expect(placement(machine), before)


@case(once="13")
def an_unknown_tier_is_refused_with_the_tiers_there_are(machine):
    podctl(machine, f"provision {ALICE}")
    before = placement(machine)
    refused(machine, f"podctl provision --tier gold {BOB}", 64, "gold", "basic, enterprise, free, pro")
    refused(machine, f"podctl provision --tier ../free {BOB}", 64)
    refused(machine, f"podctl provision --tier '' {BOB}", 64)
    # Another tier than the user's is an error; provisioning does not move users.
    refused(machine, f"podctl provision --tier basic {ALICE}", 1, ALICE, "free")
    expect(placement(machine), before)


@case(once="12")
def a_settings_file_that_does_not_parse_is_named_with_its_line(machine):
    podctl(machine, f"provision {ALICE}")
    before = placement(machine)
    drop_in = "/etc/podctl/tiers/basic.conf.d/10-mine.conf"
    for text, line, word in (
            ("[Tier]\nCPUWeight=50\nMemoryMaximum=1M\n", 3, "MemoryMaximum"),
            ("[Tier]\nMemoryMax=plenty\n", 2, "MemoryMax"),
            ("[Tier]\n\n# why\nUsersPerPod=0\n", 4, "UsersPerPod"),
            ("MemoryMax=1G\n", 1, "section"),
            ("[Workload]\nExecStart=/bin/true\n", 2, "[Workload]")):
        machine.put(drop_in, text)
        refused(machine, f"podctl provision --tier basic {BOB}", 1, f"{drop_in}:{line}", word)
    # The list of tiers reports the error, too; a valid tier still works.
    refused(machine, "podctl tiers", 1, drop_in)
    expect(placement(machine), before)
    machine.put("/etc/podctl/workloads/broken.conf", "[Workload]\nExecStart=true\n")
    machine.put(drop_in, "[Tier]\nWorkload=broken\n")
    refused(machine, f"podctl provision --tier basic {BOB}", 1, "/etc/podctl/workloads/broken.conf:2")
    machine.put(drop_in, "[Tier]\nWorkload=missing\n")
    refused(machine, f"podctl provision --tier basic {BOB}", 1, "missing")
    expect(placement(machine), before)
    machine.succeed(f"rm {drop_in}")
    expect(podctl(machine, f"provision --tier basic {BOB}")["tier"], "basic")


@case(once="13")
def a_podd_conf_that_does_not_parse_leaves_the_old_settings_in_force(machine):
    podctl(machine, f"provision {ALICE}")
    before = placement(machine)
    machine.put("/etc/podctl/podd.conf.d/10-mine.conf", "[Podd]\nDefaultTeir=basic\n")
    failed = machine.run("systemctl reload podd.service")
    assert failed.status != 0, failed
    wait_until(lambda: "/etc/podctl/podd.conf.d/10-mine.conf:2" in machine.succeed("journalctl -b -u podd.service"),
               what="the journal names the file and the line")
    expect(podctl(machine, f"provision {BOB}")["tier"], "free")
    machine.succeed(f"podctl deprovision --purge {BOB}")
    expect(placement(machine) | {"tables": ""}, before | {"tables": ""})


@case(once="12")
def when_the_ports_are_used_up_the_others_keep_theirs(machine):
    machine.put("/etc/podctl/podd.conf.d/10-ports.conf", "[Podd]\nPortRange=10001-10002\n")
    machine.succeed("systemctl reload podd.service")
    machine.put("/root/users", "".join(f"user-{number}\n" for number in range(1, 42)))
    outcome = machine.run("podctl --json provision --from-file /root/users", timeout=300)
    expect(outcome.status, 1)
    expect([pod["users"] for pod in podctl(machine, "pods")], [20, 20])
    before = placement(machine)
    refused(machine, "podctl provision user-41", 1, "10001 to 10002", "PortRange=")
    expect(placement(machine), before)


def full_disk(machine):
    """Puts podd's data on a small disk; returns a function that fills the disk to the last byte."""
    machine.succeed("""
        systemctl stop podd.service
        truncate -s 24M /root/small.img && mke2fs -q -t ext4 -O ^has_journal -m 0 /root/small.img
        mount -o loop /root/small.img /var/lib/podctl && chmod 700 /var/lib/podctl
        systemctl start podd.service
    """)
    return lambda: machine.run(
        "dd if=/dev/zero of=/var/lib/podctl/ballast bs=1M; dd if=/dev/zero of=/var/lib/podctl/ballast bs=1k "
        "oflag=append conv=notrunc; sync; df /var/lib/podctl")


def release_disk(machine):
    # On Debian 13 the disk was sometimes unmounted already, after podd and the pods had been stopped.
    machine.succeed("""
        systemctl stop podd.service 'pod-*.scope'
        ! mountpoint -q /var/lib/podctl || umount --lazy /var/lib/podctl
        rm /root/small.img
    """)


@case(once="12")
def a_full_disk_refuses_new_users_and_harms_nobody(machine):
    fill = full_disk(machine)
    try:
        pod = podctl(machine, f"provision {ALICE}")
        podctl(machine, f"provision --tier basic --cold {BOB}")
        secret = token(machine, ALICE)
        fill()
        before = placement(machine)
        for arguments in ("carol@example.com", "carol@example.com --cold", "carol@example.com --tier pro"):
            refused(machine, f"podctl provision {arguments}", 1, "No space left")
            # Frees room for the row in the database, but not for the user's files.
            machine.succeed("truncate --size=-8K /var/lib/podctl/ballast && sync")
        expect(placement(machine), before)
        fill()
        expect(curl(machine, pod, "/api/v2/version", user_token=secret)[0], 200)
        expect(curl(machine, pod, "/api/v2/insert?p=a&c=1.1.1/1.1.1/1.1.1&s=x", user_token=secret)[0], 507)
        # Users who are placed stay placed and are served.
        expect(podctl(machine, f"provision {ALICE}")["created"], False)
        machine.succeed("systemctl restart podd.service")
        expect(placement(machine) | {"pods": []}, before | {"pods": []}, "after a restart of podd")
        # The pod is stopped, but the command fails, because a reboot would start the pod again.
        fill()
        refused(machine, "podctl stop pod-001", 1, "pod-001 is stopped", "No space left")
        expect(pods(machine)["pod-001"]["state"], "stopped")
        machine.succeed("rm /var/lib/podctl/ballast && podctl stop pod-001 && systemctl restart podd.service")
        expect(pods(machine)["pod-001"]["state"], "stopped")
        podctl(machine, "start pod-001")
        expect(podctl(machine, "provision carol@example.com")["state"], "ready")
        expect(podctl(machine, f"provision {BOB}")["state"], "ready")
    finally:
        release_disk(machine)


def workload(machine, name, text):
    machine.put(f"/etc/podctl/workloads/{name}.conf", f"[Workload]\n{text}\n")
    machine.put(f"/etc/podctl/tiers/{name}.conf", f"[Tier]\nWorkload={name}\nUsersPerPod=3\nMemoryMax=64M\n")


FAILURES = {
    "launch-failed:exec:ENOENT": "ExecStart=/usr/bin/no-such-program\nType=exec\nListen=port\nProbe=tcp",
    "launch-failed:exec:EACCES": "ExecStart=/etc/passwd\nType=exec\nListen=port\nProbe=tcp",
    "exited:3": "ExecStart=/bin/sh -c 'echo has nothing to do; exit 3'\nType=notify\nListen=port",
    "exited:0": "ExecStart=/bin/true\nType=notify\nListen=socket",
    "signal:ABRT": "ExecStart=/bin/sh -c 'kill -ABRT $$$$'\nType=notify\nListen=port",
    "start-timeout": "ExecStart=/bin/sleep 1000\nType=notify\nListen=port\nTimeoutStartSec=2s",
}


@case(once="12")
def a_program_that_does_not_start_takes_its_new_user_back_and_says_why(machine):
    served = podctl(machine, f"provision {ALICE}")
    before = placement(machine)
    for number, (reason, text) in enumerate(FAILURES.items()):
        workload(machine, f"w{number}", text)
        refused(machine, f"podctl provision --tier w{number} {BOB}", 1, reason, "pod-002")
        expect(placement(machine), before, f"placement after {reason}")
        expect(machine.succeed("ls /run/podctl/pods /run/userdb | grep -c pod-002 || true").strip(), "0")
    expect(curl(machine, served, "/api/v2/version", user_token=token(machine, ALICE))[0], 200)
    # When a pod number is used again, its generations continue, so that no unit name is used twice.
    workload(machine, "w0", "ExecStart=/usr/lib/podctl/podserve --users ${USERS_FILE}\nType=notify\nListen=socket")
    placed = podctl(machine, f"provision --tier w0 {BOB}")
    expect((placed["pod"], placed["created"]), ("pod-002", True))
    expect(placed["unit"], f"pod-002-{len(FAILURES) + 1}.scope")


@case(once="13")
def provisions_that_fail_together_on_a_new_pod_leave_nothing(machine):
    podctl(machine, f"provision {ALICE}")
    before = placement(machine)
    for number, reason in enumerate(("exited:3", "start-timeout", "launch-failed:exec:ENOENT")):
        workload(machine, f"w{number}", FAILURES[reason])
        errors = machine.succeed(
            f"for i in 1 2 3; do podctl provision --tier w{number} together-$i & done 2>&1; wait", timeout=120)
        expect(errors.count(reason), 3, f"each is told {reason} in {errors!r}")
        expect(placement(machine), before, f"placement after {reason}")


@case(once="13")
def a_place_that_stood_before_stands_when_its_program_fails_and_status_tells_the_reason(machine):
    podctl(machine, f"provision {ALICE}")
    workload(machine, "odd", FAILURES["exited:3"])
    podctl(machine, f"provision --cold --tier odd {BOB}")
    main_pid = pods(machine)["pod-001"]["main_pid"]
    refused(machine, f"podctl provision {BOB}", 1, "exited:3", "pod-002")
    placed = {each["user"]: each for each in podctl(machine, "users")}
    expect((placed[BOB]["pod"], placed[BOB]["status"]), ("pod-002", "active"))
    refused(machine, "podctl start pod-002", 1, "exited:3", "podctl logs pod-002")
    expect(podctl(machine, "status pod-002")["last_exit_reason"], "exited:3")
    assert "exited:3" in machine.succeed("podctl status pod-002")
    wait_until(lambda: "has nothing to do" in machine.succeed("podctl logs pod-002"), 30, what="the program's output")
    expect(pods(machine)["pod-001"]["main_pid"], main_pid)
    # Without help the pod hits its start limit, and `podctl reset` launches it again.
    wait_until(lambda: pods(machine)["pod-002"]["state"] == "crash-loop", 90, what="a crash loop is noticed")
    refused(machine, "podctl start pod-002", 1, "podctl reset pod-002")
    workload(machine, "odd", "ExecStart=/usr/lib/podctl/podserve --users ${USERS_FILE}\nType=notify\nListen=socket")
    expect(podctl(machine, "reset pod-002")["state"], "ready")

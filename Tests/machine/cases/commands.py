"""The output and errors of podctl, for scripts, on terminals and over ssh."""

import json
import shlex

from podctl_testing import case, curl, expect, podctl, pods, refused, token, unit, wait_until

ALICE, BOB = "alice@example.com", "bob@example.com"


@case(once="12")
def json_is_one_value_and_nothing_else_for_every_verb(machine):
    machine.put("/root/users", f"{BOB}\n")
    machine.put("/root/trace.csv", "time_s,anon,swap,file,current,active_users\n0,1,2,3,4,5\n")
    for verb, kind in {
            f"provision {ALICE}": dict, "provision --from-file /root/users": list, "users": list, "pods": list,
            "tiers": list, "status": dict, "status pod-001": dict, f"status {ALICE}": dict, "stop pod-001": dict,
            "start pod-001": dict, "restart pod-001": dict, "reset pod-001": dict, "logs pod-001": list,
            "explain pod-001": dict, "history pod-001": list, "top": list,
            "recycle pod-001 --dry-run": dict, "recycle pod-001": dict,
            "evict --dry-run pod-001": dict, "freeze pod-001": dict, "thaw pod-001": dict, "evict pod-001": dict,
            "wake pod-001": dict, "rollout --tier free --healthy-sec 1": dict, "doctor --invariants": list,
            f"logs {ALICE} -n 1": list, "events -n 5": list, "doctor": dict, f"deprovision {BOB}": dict,
            "leak-replay /root/trace.csv --memory-max 96M": dict,
            f"deprovision --purge {ALICE}": dict}.items():
        for command in (f"podctl --json {verb}", f"podctl {verb} --json"):
            result = machine.run(command)
            # A verb that is repeated succeeds, except for a user who has been removed.
            if "deprovision" in verb and command.endswith("--json"):
                continue
            expect((result.status, result.stderr), (0, ""), command)
            value = json.loads(result.stdout)
            assert isinstance(value, kind), (command, value)
            expect(result.stdout.count("\n"), 1, f"lines of {command}")
            names = [key for each in (value if isinstance(value, list) else [value]) for key in each]
            assert all(name == name.lower() and "-" not in name for name in names), names
    expect(list(podctl(machine, "pods")[0]), [
        "pod", "tier", "state", "unit", "main_pid", "address", "front_address", "port", "users", "generation",
        "restarts", "memory_current", "memory_anon", "memory_max", "last_exit_reason", "since"])
    expect(podctl(machine, "users"), [
        {"user": BOB, "tier": "free", "pod": None, "state": None, "data_bytes": None, "status": "deleted",
         "last_used": None}])


@case(once="13")
def wrong_usage_is_one_line_and_status_64(machine):
    for arguments in ("", "frobnicate", "provision", f"provision {ALICE} {BOB}", "pods --frobnicate", "stop",
                      "--json provision", "logs pod-001 -n x", "--json logs pod-001 -f", "-H", "-H -x pods"):
        if not arguments:
            continue
        refused(machine, f"podctl {arguments}", 64, "podctl: ")
    refused(machine, "podctl status nobody@example.com", 1, "nobody@example.com")
    refused(machine, "podctl start pod-999", 1, "pod-999")
    refused(machine, f"podctl token {ALICE}", 1, "apt install podctl-gate")
    refused(machine, "podctl token ../x", 64, "podctl: ")
    for verb in ("provision", "deprovision", "users", "pods", "tiers", "status", "start", "stop", "restart",
                 "reset", "recycle", "evict", "freeze", "thaw", "wake", "rollout", "explain", "logs", "events",
                  "leak-replay", "doctor", "history", "top", "token"):
        assert "--json" in machine.succeed(f"podctl {verb} --help"), verb
        assert f"podctl-{verb}" in machine.succeed("ls /usr/share/man/man1 2>&1; dpkg -L podctl"), verb
    expect(machine.succeed("podctl --version").split()[0], "podctl")


@case(once="13")
def without_podd_podctl_says_so_with_status_69(machine):
    machine.succeed("systemctl mask --runtime podd.service && systemctl stop podd.service")
    try:
        refused(machine, "podctl pods", 69, "podd is not reachable")
        refused(machine, f"podctl --json provision {ALICE}", 69, "podd is not reachable")
        expect(machine.run("podctl doctor").status, 1)
    finally:
        machine.succeed("systemctl unmask --runtime podd.service && systemctl start podd.service")
    expect(podctl(machine, "pods"), [])


@case(once="13")
def podd_is_started_by_the_first_call(machine):
    machine.succeed("systemctl stop podd.service")
    expect(podctl(machine, "pods"), [])
    expect(machine.succeed("systemctl is-active podd.service").strip(), "active")


@case(once="12")
def the_same_commands_work_on_another_host_over_ssh(machine):
    machine.succeed("""
        ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 <<< y > /dev/null
        cat /root/.ssh/id_ed25519.pub > /root/.ssh/authorized_keys
        systemctl start ssh.service
        printf 'localhost %s\\n' "$(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)" > /root/.ssh/known_hosts
    """)
    try:
        there = json.loads(machine.succeed(f"podctl -H localhost --json provision {ALICE}"))
        expect((there["pod"], there["state"]), ("pod-001", "ready"))
        expect(json.loads(machine.succeed("podctl --json -H root@localhost users"))[0]["user"], ALICE)
        assert "pod-001" in machine.succeed("podctl -H localhost pods")
        expect(machine.run("podctl -H localhost doctor").status, 0)
        assert "pod-001" in machine.succeed("podctl -H localhost top -n 1")
        wait_until(lambda: "pod-001 is ready" in machine.succeed("podctl -H localhost logs pod-001"),
                   what="the other host's journal")
        refused(machine, "podctl -H localhost provision ../x", 64)
        refused(machine, "podctl -H localhost status nobody", 1, "nobody")
    finally:
        machine.succeed("systemctl stop ssh.service; rm -rf /root/.ssh")


@case()
def doctor_finds_nothing_to_mend_on_a_good_host(machine):
    answer = podctl(machine, "doctor")
    expect([each for each in answer["checks"] if each["status"] == "fatal" or each["id"].startswith("front-")], [])
    expect(answer["fit"], True)
    machine.succeed("podctl doctor")


def complete(machine, line):
    """bash's completions at the end of LINE."""
    words = line.split(" ")
    script = f"""
        . /usr/share/bash-completion/bash_completion
        . /usr/share/bash-completion/completions/podctl
        function=$(complete -p podctl | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        COMP_WORDS=({" ".join(shlex.quote(word) for word in words)})
        COMP_CWORD={len(words) - 1} COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)}
        "$function" podctl {shlex.quote(words[-1])} {shlex.quote(words[-2])}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return [word.strip() for word in machine.succeed(script).splitlines() if word.strip()]


@case(once="12")
def bash_completes_verbs_users_pods_and_tiers(machine):
    podctl(machine, f"provision {ALICE}")
    podctl(machine, "provision bob --tier pro")
    assert {"provision", "pods", "status"} <= set(complete(machine, "podctl p") + complete(machine, "podctl s"))
    expect(complete(machine, "podctl deprovision a"), [ALICE])
    expect(complete(machine, "podctl restart "), ["pod-001", "pod-002"])
    offered = complete(machine, "podctl status ")
    assert {ALICE, "bob", "pod-001", "pod-002"} <= set(offered), offered
    expect(complete(machine, "podctl provision --tier e"), ["enterprise"])


#: Types its argument and a tab into an interactive zsh, and prints the resulting line.
ZSH_LINE = r"""
import os, pty, select, sys
child, terminal = pty.fork()
if child == 0:
    os.execvpe("zsh", ["zsh", "-f", "-i"], dict(os.environ, TERM="dumb"))

def until(mark):
    seen = b""
    while mark not in seen:
        if not select.select([terminal], [], [], 100)[0]:
            sys.exit(f"zsh shows no {mark}: {seen}")
        seen += os.read(terminal, 4096)
    return seen

os.write(terminal, b"autoload -U compinit; compinit -u -D; show() { print -r -- \"<$BUFFER>\" }; zle -N show;"
                   b" bindkey '^X' show; PS1=rea''dy\n")
until(b"ready")
os.write(terminal, sys.argv[1].encode() + b"\t\x18")
print(until(b">").decode().split("<")[-1].split(">")[0])
"""


@case(once="13")
def fish_and_zsh_complete_verbs_users_pods_and_tiers(machine):
    podctl(machine, f"provision {ALICE}")
    podctl(machine, "provision bob --tier pro")

    def fish(words):
        return [line.split("\t")[0] for line in machine.succeed(f"fish -c \"complete -C '{words}'\"").splitlines()]

    assert {"pods", "provision"} <= set(fish("podctl p")), fish("podctl p")
    expect(fish("podctl deprovision a"), [ALICE])
    expect(fish("podctl restart "), ["pod-001", "pod-002"])
    expect(fish("podctl provision --tier e"), ["enterprise"])

    machine.put("/root/zsh-line", ZSH_LINE)
    for line, whole in (
            ("podctl depro", "podctl deprovision"), ("podctl deprovision a", f"podctl deprovision {ALICE}"),
            ("podctl restart ", "podctl restart pod-00"),
            ("podctl provision --tier e", "podctl provision --tier enterprise")):
        shown = machine.succeed(f"python3 /root/zsh-line {shlex.quote(line)}").strip()
        expect(shown, whole, f"zsh: {line}")


@case(once="12")
def stop_is_remembered_when_podd_is_started_again(machine):
    podctl(machine, f"provision {ALICE}")
    expect(podctl(machine, "stop pod-001")["state"], "stopped")
    machine.succeed("systemctl restart podd.service")
    stopped = pods(machine)["pod-001"]
    expect((stopped["state"], stopped["unit"], stopped["last_exit_reason"]), ("stopped", None, "operator"))
    refused(machine, f"podctl provision {ALICE}", 1, "podctl start pod-001")
    # New users are not placed in a stopped pod.
    expect(podctl(machine, f"provision {BOB}")["pod"], "pod-002")
    expect(podctl(machine, "start pod-001")["state"], "ready")
    expect(unit(machine, "pod-001-2.scope", "ActiveState"), {"ActiveState": "active"})


@case(once="13")
def a_restart_keeps_the_listening_socket_and_refuses_no_connection(machine):
    pod = podctl(machine, f"provision {ALICE}")
    secret = token(machine, ALICE)

    def socket():
        return machine.succeed(
            f"ss -Htlne 'src = {pod['address']}:{pod['port']}' | grep -o 'ino:[0-9]*'").strip()

    before = socket()
    machine.put("/root/asking", f"""\
import http.client, pathlib, sys
asked = 0
while not pathlib.Path("/root/enough").exists():
    connection = http.client.HTTPConnection(
        "{pod['address']}", {pod['port']}, timeout=120, source_address=("{pod['front_address']}", 0))
    connection.request("GET", "/api/v2/version", headers={{"Authorization": "Bearer {secret}"}})
    status = connection.getresponse().status
    assert status == 200, status
    connection.close()
    asked += 1
    if asked == 1:
        print("asking", flush=True)
print(asked)
""")
    machine.succeed("rm -f /root/enough")
    client = machine.start("python3 /root/asking")
    wait_until(lambda: "asking" in client.stdout or not client.running, 60, what="the client asks")
    for generation in (2, 3):
        expect(podctl(machine, "restart pod-001"), podctl(machine, "start pod-001"))
        shown = pods(machine)["pod-001"]
        expect((shown["unit"], shown["state"]), (f"pod-001-{generation}.scope", "ready"))
        expect(socket(), before, "the listening socket")
    machine.succeed("touch /root/enough")
    status, _, errors = client.wait(120)
    expect((status, errors), (0, ""), "the client that asked all the time")
    expect(pods(machine)["pod-001"]["restarts"], 0)


@case(once="12")
def deprovision_keeps_the_data_for_a_later_provision_and_purge_does_not(machine):
    def ask(what, user=ALICE):
        pod = podctl(machine, f"provision {user}")
        return curl(machine, pod, f"/api/v2/{what}", user_token=token(machine, user))

    where = "p=diary&c=1.1.1/1.1.1/1.1.1"
    expect(ask(f"insert?{where}&s=dear")[0], 200)
    old = token(machine, ALICE)
    podctl(machine, f"provision {BOB}")
    machine.succeed(f"podctl deprovision {ALICE}")
    pod = pods(machine)["pod-001"]
    expect(curl(machine, pod, f"/api/v2/select?{where}", user_token=old)[0], 401)
    expect([each["status"] for each in podctl(machine, "users")], ["deleted", "active"])
    expect(machine.succeed(f"stat -c '%U %a' /var/lib/podctl/kept/{ALICE}").split(), ["root", "700"])
    # A second deprovision changes nothing: the data is kept.
    machine.run(f"podctl deprovision {ALICE}")
    expect(ask(f"select?{where}"), (200, "dear"))
    assert token(machine, ALICE) != old
    machine.succeed(f"podctl deprovision --purge {ALICE}")
    expect(machine.succeed(f"find /var/lib/podctl -name '{ALICE}'"), "")
    expect([each["user"] for each in podctl(machine, "users")], [BOB])
    assert ask(f"select?{where}")[1] != "dear"
    refused(machine, "podctl deprovision nobody@example.com", 1, "nobody@example.com")


@case(once="13")
def podd_answers_others_while_it_removes_a_large_tree(machine):
    place = podctl(machine, f"provision {ALICE}")
    podctl(machine, f"provision {BOB}")
    tree = f"/var/lib/podctl/pods/{place['pod']}/users/{ALICE}"
    machine.succeed(f"""python3 -c '
import os
for outer in range(120):
    os.mkdir(f"{tree}/{{outer}}")
    for inner in range(400):
        os.mknod(f"{tree}/{{outer}}/{{inner}}")
'""", timeout=300)
    removal = machine.start(f"podctl deprovision --purge {ALICE}")
    wait_until(lambda: machine.run(f"test -e {tree}").status != 0, 60, 0.02, what="the tree is taken out of the pod")
    answered = 0
    while removal.running:
        machine.succeed("podctl --json pods")
        answered += removal.running
    assert answered, "podd answered nobody as long as the tree was there"
    expect(pods(machine)[place["pod"]]["state"], "ready")
    expect(removal.wait(120).status, 0)
    expect(machine.succeed(f"find /var/lib/podctl -name '{ALICE}'"), "")
    expect([each["user"] for each in podctl(machine, "users")], [BOB])


@case()
def logs_and_events_tell_what_happened(machine):
    podctl(machine, f"provision {ALICE}")
    machine.succeed("podctl restart pod-001 && podctl stop pod-001")
    wait_until(lambda: "stopped by hand" in machine.succeed("podctl events -n 20"), 60, what="the last event")
    assert "Serving 1 user" in machine.succeed("podctl logs pod-001")
    assert f"{ALICE} is placed on pod-001" in machine.succeed(f"podctl logs {ALICE}")
    expect(len(podctl(machine, "logs pod-001 -n 3")), 3)
    last = podctl(machine, "events -n 1")[0]
    expect((last["pod"], last["state"], last["message_id"]),
           ("pod-001", "stopped", "e83f1552089a428694149f9efa5d9751"))
    expect({each["unit"] for each in podctl(machine, "logs pod-001")} >= {"podd.service", "pod-001-2.scope"}, True)
    following = machine.start("podctl logs pod-001 -f -n 1")
    try:
        # The last line that there is: from here on it follows.
        wait_until(lambda: following.stdout, 60, what="podctl logs -f shows the last line")
        assert "pod-001 is ready" not in following.stdout, following.stdout
        machine.succeed("podctl start pod-001")
        wait_until(lambda: "pod-001 is ready" in following.stdout, 60, what="podctl logs -f shows a new line")
    finally:
        following.signal()


@case(once="13")
def a_pipe_gets_plain_columns_and_whole_names(machine):
    name = "a-name-that-no-terminal-has-room-for." * 6 + "@example.com"
    podctl(machine, f"provision {name}")
    plain = machine.succeed("podctl users", environment={"COLUMNS": "40"})
    assert name in plain and "\x1b" not in plain, plain
    assert "USER" not in machine.succeed("podctl --no-legend users")


def doctor_and_podd_say_the_same(machine, check, word):
    machine.succeed("systemctl restart podd.service || true")
    found = json.loads(machine.run("podctl --json doctor", timeout=180).stdout)
    expect(found["fit"], False)
    finding = {each["id"]: each for each in found["checks"]}[check]
    expect(finding["status"], "fatal")
    assert word in finding["mend"], finding
    assert machine.run("podctl doctor", timeout=180).status == 1
    wait_until(lambda: machine.run("systemctl is-failed --quiet podd.service").status == 0, 60,
               what="podd fails instead of retrying forever")
    said = machine.succeed("journalctl -b -u podd.service -o cat")
    assert f"{finding['what']} {finding['mend']}" in said, (finding, said)
    refused(machine, "podctl pods", 69, timeout=180)


@case(append="psi=0", once="12")
def a_host_without_pressure_figures_is_told_how_to_get_them_by_doctor_and_podd_alike(machine):
    doctor_and_podd_say_the_same(machine, "psi", "psi=1")


@case(append="systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1", once="12")
def a_host_with_the_old_cgroup_tree_is_told_how_to_leave_it_by_doctor_and_podd_alike(machine):
    doctor_and_podd_say_the_same(machine, "cgroup-v2", "systemd.unified_cgroup_hierarchy=1")

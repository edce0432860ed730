"""Programs that were not written for podctl, with each of the installed workload files and all kinds of workload."""

import json

from podctl_testing import case, curl, expect, podctl, pods, recorded, token, wait_until

ALICE, BOB = "alice@example.com", "bob@example.com"


def tier(machine, workload, **keys):
    """Writes a tier with another workload, as an administrator does."""
    text = "[Tier]\n" + "".join(f"{key}={value}\n" for key, value in ({
        "Workload": workload, "UsersPerPod": 5, "MemoryMax": "192M", "MemoryHigh": "160M",
        "CPUQuota": "200%", "TasksMax": 64} | keys).items())
    machine.put(f"/etc/podctl/tiers/{workload}.conf", text)


def workload(machine, name, text):
    machine.put(f"/etc/podctl/workloads/{name}.conf", "[Workload]\n" + text)
    tier(machine, name)


def answers_only_its_front_address(machine, pod):
    for source in ("127.0.0.1", "127.76.0.99", pod["address"]):
        asked = machine.run(
            f"socat -u /dev/null TCP:{pod['address']}:{pod['port']},bind={source},connect-timeout=3")
        assert asked.status != 0, f"{pod['pod']} accepts connections from {source}"
    machine.succeed(
        f"socat -u /dev/null TCP:{pod['address']}:{pod['port']},bind={pod['front_address']}")


@case()
def gunicorn_takes_its_socket_from_podd_and_greets_new_users_after_a_reload_signal(machine):
    tier(machine, "gunicorn")
    pod = podctl(machine, f"provision {ALICE} --tier gunicorn")
    expect((pod["state"], pod["unit"]), ("ready", "pod-001-1.scope"))
    expect(curl(machine, pod, "/", user_token=token(machine, ALICE)), (200, f"hello, {ALICE}\n"))
    expect(curl(machine, pod, "/", user_token="wrong")[0], 401)
    main_pid = pods(machine)["pod-001"]["main_pid"]
    expect(podctl(machine, f"provision {BOB} --tier gunicorn")["pod"], "pod-001")
    # gunicorn does not report the end of a reload.
    wait_until(lambda: curl(machine, pod, "/", user_token=token(machine, BOB)) == (200, f"hello, {BOB}\n"),
               60, what="gunicorn knows the second user")
    expect(pods(machine)["pod-001"]["main_pid"], main_pid)
    answers_only_its_front_address(machine, pod)


def redis(machine, pod, command):
    return machine.succeed(
        f"printf '%s\\r\\n' {command!r} QUIT | timeout 60 socat -t 30 - "
        f"TCP:{pod['address']}:{pod['port']},bind={pod['front_address']}").splitlines()[:-1]


@case()
def redis_binds_its_port_itself_and_keeps_its_data_when_new_users_restart_it(machine):
    tier(machine, "redis")
    pod = podctl(machine, f"provision {ALICE} --tier redis")
    expect((pod["state"], pod["unit"]), ("ready", "pod-001-1.scope"))
    expect(redis(machine, pod, "SET colour blue"), ["+OK"])
    # Without ExecReload= and ReloadSignal=, a changed users file causes a graceful restart.
    again = podctl(machine, f"provision {BOB} --tier redis")
    expect((again["pod"], again["state"], again["unit"]), ("pod-001", "ready", "pod-001-2.scope"))
    expect(redis(machine, pod, "GET colour"), ["$4", "blue"])
    shown = pods(machine)["pod-001"]
    expect((shown["last_exit_reason"], shown["restarts"], shown["users"]), ("operator", 0, 2))
    answers_only_its_front_address(machine, pod)


@case(once="13")
def a_program_that_says_nothing_is_ready_when_its_probe_answers_and_reloads_by_a_command(machine):
    workload(machine, "files", """\
ExecStart=/usr/bin/python3 -m http.server --bind ${ADDRESS} --directory ${STATE_DIRECTORY} ${PORT}
Type=exec
Listen=port
Probe=http:/
ExecReload=/usr/bin/cp ${USERS_FILE} ${STATE_DIRECTORY}/reloaded
""")
    pod = podctl(machine, f"provision {ALICE} --tier files")
    expect(pod["state"], "ready")
    # A ready pod answers, so no waiting is needed.
    expect(curl(machine, pod, "/")[0], 200)
    main_pid = pods(machine)["pod-001"]["main_pid"]
    expect(podctl(machine, f"provision {BOB} --tier files")["unit"], "pod-001-1.scope")
    # The reload command has ended when provision returns.
    status, body = curl(machine, pod, "/reloaded")
    expect((status, [each["user"] for each in json.loads(body)["users"]]), (200, [ALICE, BOB]))
    expect(machine.succeed("stat -c %U /var/lib/podctl/pods/pod-001/reloaded").strip(), "pod-001")
    expect(pods(machine)["pod-001"]["main_pid"], main_pid)
    answers_only_its_front_address(machine, pod)


@case(once="13")
def a_reload_command_that_fails_ends_in_a_graceful_restart(machine):
    workload(machine, "files", """\
ExecStart=/usr/bin/python3 -m http.server --bind ${ADDRESS} ${PORT}
Type=exec
Listen=port
Probe=tcp
ExecReload=/usr/bin/false
""")
    podctl(machine, f"provision {ALICE} --tier files")
    again = podctl(machine, f"provision {BOB} --tier files")
    expect((again["unit"], again["state"]), ("pod-001-2.scope", "ready"))
    expect(machine.succeed("ps -C false -o pid= || true"), "", "zombies of the reload command")


@case()
def sq_finds_its_tenants_in_the_file_that_the_template_renders(machine):
    # SQ is not in Debian; this stand-in accepts its command line and returns the arguments.
    machine.put("/usr/bin/sq", """\
#!/usr/bin/python3
import http.server, sys
assert sys.argv[1] == "host" and sys.argv[3] == "--config", sys.argv
tenants = open(sys.argv[4], "rb").read()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(tenants)
http.server.HTTPServer(("0.0.0.0", int(sys.argv[2])), Handler).serve_forever()
""", mode=0o755)
    try:
        tier(machine, "sq")
        odd = "odd+%_@example.com"
        for names in ([ALICE], [ALICE, odd]):
            pod = podctl(machine, f"provision '{names[-1]}' --tier sq")
            status, body = curl(machine, pod, "/")
            expect(status, 200)
            told = json.loads(body)
            tokens = {row["name"]: row["token"] for row in recorded(machine, "SELECT name, token FROM user")}
            expect(told, {"tenants": {
                tokens[name]: {"name": name, "data_dir": f"/var/lib/podctl/pods/pod-001/users/{name}"}
                for name in names}})
        expect(machine.succeed("stat -c '%U %a' /run/podctl/pods/pod-001/users").split(), ["pod-001", "600"])
        answers_only_its_front_address(machine, pod)
    finally:
        machine.succeed("rm /usr/bin/sq")


@case(once="13")
def podserve_knows_a_new_user_when_provision_returns(machine):
    pod = podctl(machine, f"provision {ALICE}")
    main_pid = pods(machine)["pod-001"]["main_pid"]
    for number in range(5):
        podctl(machine, f"provision user-{number}")
        expect(curl(machine, pod, "/api/v2/version", user_token=token(machine, f"user-{number}"))[0], 200)
    podctl(machine, "deprovision user-0")
    expect(pods(machine)["pod-001"]["main_pid"], main_pid)


@case(once="12")
def settings_count_from_the_next_launch_on_however_they_were_changed(machine):
    podctl(machine, f"provision {ALICE}")
    directory = "/etc/podctl/tiers/free.conf.d"
    file = f"{directory}/50-narrow.conf"

    def launched_with(change, megabytes):
        machine.succeed(change)
        podctl(machine, "restart pod-001")
        name = pods(machine)["pod-001"]["unit"]
        limit = machine.succeed(f"cat /sys/fs/cgroup/pods.slice/pods-free.slice/{name}/memory.max")
        expect(int(limit) >> 20, megabytes, change)

    def text(megabytes):
        return f"printf '[Tier]\\nMemoryMax={megabytes}M\\n'"

    # podd caches settings when the files have not changed recently, so the second launch of each pair uses the cache.
    at_rest = f"while (( $(date +%s) - $(stat -c %Z {directory}) < 3 )); do sleep 0.1; done"
    launched_with("true", 96)
    launched_with(f"mkdir {directory}", 96)
    launched_with(f"{text(90)} > {file}", 90)
    launched_with(at_rest, 90)
    launched_with("true", 90)
    launched_with(f"{text(91)} > {file}", 91)
    launched_with(f"{text(92)} > {file}", 92)
    launched_with(f"{text(93)} > {directory}/new && mv {directory}/new {file}", 93)
    launched_with(f"{text(94)} > /root/elsewhere && ln -sf /root/elsewhere {file} && {at_rest}", 94)
    launched_with("true", 94)
    launched_with(f"{text(95)} > /root/elsewhere", 95)
    launched_with(f"rm -r {directory}", 96)

"""A pod that was stopped or frozen to free its memory is woken by the next request."""

from loading import PROGRAMS, invariants_hold
from podctl_testing import case, curl, expect, podctl, pods, token, wait_until

WOKEN = "MESSAGE_ID=cb00805b24a34e5fb204bad829fca657"

#: Binds its own port, or uses podd's socket, and greets, but only when the file HOLD is gone.
SERVER = """#!/usr/bin/python3
import http.server, os, socket, time
while os.path.exists(os.environ["HOLD"]):
    time.sleep(0.1)
class Greeter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *words): pass
inherited = "LISTEN_FDS" in os.environ
server = http.server.ThreadingHTTPServer((os.environ["ADDRESS"], int(os.environ["PORT"])), Greeter, not inherited)
if inherited:
    server.socket = socket.socket(fileno=3)
server.serve_forever()
"""


def workloads(machine, more=""):
    """Writes the tiers `socket` and `port`, whose program listens in one of these ways. MORE is added to both workload
    files."""
    machine.put(f"{PROGRAMS}/greeter", SERVER, mode=0o755)
    for listen in ("socket", "port"):
        machine.put(f"/etc/podctl/workloads/{listen}.conf",
                    f"[Workload]\nExecStart=/usr/bin/python3 -ES {PROGRAMS}/greeter\nType=exec\nListen={listen}\n"
                    f"Probe=tcp\nTimeoutStopSec=5s\nEnvironment=HOLD=${{STATE_DIRECTORY}}/hold\n{more}")
        machine.put(f"/etc/podctl/tiers/{listen}.conf",
                    f"[Tier]\nWorkload={listen}\nUsersPerPod=2\nMemoryMax=128M\n")


def woken(machine, pod):
    """How often podd has logged that a connection woke POD."""
    return machine.run(f"journalctl -b -t podd POD={pod['pod']} {WOKEN} -o cat").stdout.count("woken")


def state(machine, pod):
    return pods(machine)[pod["pod"]]["state"]


def answers(machine, pod, path="/", **options):
    expect(curl(machine, pod, path, timeout=120, **options)[0], 200, f"a request to {pod['pod']}")
    # A program may answer a waiting client before it sends READY=1.
    wait_until(lambda: state(machine, pod) == "ready", 30, what=f"{pod['pod']} is ready")


def refuses(machine, pod):
    """Expects that a connection is refused at once, not by a timeout."""
    asked = machine.run(
        f"socat -u /dev/null TCP:{pod['address']}:{pod['port']},bind={pod['front_address']},connect-timeout=20")
    assert "refused" in asked.stderr.lower(), f"{pod['pod']}: {asked.status}, {asked.stderr!r}"


@case(once="12")
def the_next_request_wakes_a_pod_that_was_evicted_or_frozen(machine):
    workloads(machine)
    served = podctl(machine, "provision alice", timeout=120)
    path = "/api/v2/version"
    key = token(machine, "alice")
    kinds = [podctl(machine, f"provision {listen}-user --tier {listen}", timeout=120) for listen in ("socket", "port")]
    for verb, wanted in (("evict", "cold"), ("freeze", "frozen")):
        for pod in [served, *kinds]:
            before = pods(machine)[pod["pod"]]
            machine.succeed(f"podctl {verb} {pod['pod']}", timeout=120)
            expect(state(machine, pod), wanted, pod["pod"])
            if pod is served:
                answers(machine, pod, path, user_token=key)
            else:
                answers(machine, pod)
            after = pods(machine)[pod["pod"]]
            expect(after["generation"] - before["generation"], 1 if verb == "evict" else 0, f"launches of {pod['pod']}")
            expect(after["restarts"], before["restarts"], f"restarts of {pod['pod']}")
    for pod in [served, *kinds]:
        expect(woken(machine, pod), 2, f"wakings of {pod['pod']} in the journal")
    invariants_hold(machine)
    # Many clients at once cause one launch, and all are served.
    for pod in kinds:
        generation = pods(machine)[pod["pod"]]["generation"]
        machine.succeed(f"podctl evict {pod['pod']}", timeout=120)
        told = machine.succeed(
            f"seq 20 | xargs -P 20 -I@ curl -sS --max-time 120 --interface {pod['front_address']} -o /dev/null "
            f"-w '%{{http_code}}\\n' http://{pod['address']}:{pod['port']}/", timeout=180)
        expect(told.split(), ["200"] * 20, f"20 requests at once to {pod['pod']}")
        expect(pods(machine)[pod["pod"]]["generation"], generation + 1, "launches for 20 requests")
    # The same after podd was restarted, and after it was stopped and started.
    for command in ("systemctl restart podd.service", "systemctl stop podd.service; systemctl start podd.service"):
        for pod in kinds:
            machine.succeed(f"podctl evict {pod['pod']}", timeout=120)
        machine.succeed(command, timeout=120)
        for pod in kinds:
            expect(state(machine, pod), "cold", f"{pod['pod']} after {command}")
            answers(machine, pod)
    # podd is killed while a woken pod is being launched: the waiting client is served under the next podd.
    for pod in kinds:
        hold = f"/var/lib/podctl/pods/{pod['pod']}/hold"
        machine.succeed(f"podctl evict {pod['pod']} && touch {hold}", timeout=120)
        waiting = machine.start(f"curl -sS --max-time 240 --interface {pod['front_address']} -o /dev/null "
                                f"-w '%{{http_code}}' http://{pod['address']}:{pod['port']}/")
        wait_until(lambda: pods(machine)[pod["pod"]]["main_pid"], 60, what=f"{pod['pod']} is launched")
        expect(state(machine, pod), "starting", pod["pod"])
        process = pods(machine)[pod["pod"]]["main_pid"]
        machine.succeed("systemctl kill -s KILL podd.service")
        wait_until(lambda: machine.run("podctl pods").status == 0, 120, what="podd answers")
        expect(pods(machine)[pod["pod"]]["main_pid"], process, f"{pod['pod']} after podd was killed")
        machine.succeed(f"rm {hold}")
        told = waiting.wait(300)
        expect(told.stdout, "200", f"who woke {pod['pod']} before podd was killed ({told.stderr})")
        wait_until(lambda: state(machine, pod) == "ready", 30, what=f"{pod['pod']} is ready")
    # A pod with users is woken even if it has never run.
    for listen in ("socket", "port"):
        pod = podctl(machine, f"provision another-{listen} --cold --tier {listen}")
        if pod["pod"] in (each["pod"] for each in kinds):
            pod = podctl(machine, f"provision third-{listen} --cold --tier {listen}")
        expect(pod["state"], "cold")
        answers(machine, pod)
    invariants_hold(machine)
    # A pod that was stopped manually, or has no users, is not woken.
    for pod in kinds:
        machine.succeed(f"podctl stop {pod['pod']}", timeout=120)
        refuses(machine, pod)
        machine.succeed(f"podctl start {pod['pod']}", timeout=120)
    machine.succeed(f"podctl evict {served['pod']}; podctl deprovision alice", timeout=120)
    refuses(machine, served)
    expect(state(machine, served), "cold")
    invariants_hold(machine)


@case(once="13")
def a_reboot_changes_nothing_for_who_wakes_a_pod_and_a_broken_one_is_not_launched_for_ever(machine):
    workloads(machine)
    kinds = [podctl(machine, f"provision {listen}-user --tier {listen}", timeout=120) for listen in ("socket", "port")]
    for pod in kinds:
        machine.succeed(f"podctl evict {pod['pod']}", timeout=120)
    machine.reboot()
    wait_until(lambda: machine.run("podctl pods").status == 0, 120, what="podd answers")
    for pod in kinds:
        expect(state(machine, pod), "cold", f"{pod['pod']} after the reboot")
        answers(machine, pod)
        machine.succeed(f"podctl evict {pod['pod']}", timeout=120)
    machine.put(f"{PROGRAMS}/greeter", "#!/bin/false\nraise SystemExit(3)\n", mode=0o755)
    for pod in kinds:
        before = pods(machine)[pod["pod"]]["generation"]
        # Clients connect all the time, and every request ends.
        asking = machine.start(
            f"for i in $(seq 40); do curl -s --max-time 60 --interface {pod['front_address']} "
            f"http://{pod['address']}:{pod['port']}/; echo $?; sleep 0.5; done")
        wait_until(lambda: state(machine, pod) == "crash-loop", 240, what=f"{pod['pod']} in crash-loop")
        told = asking.wait(400).stdout.split()
        expect(len(told), 40, "answers")
        assert set(told) <= {"7", "56", "52"}, f"refused or reset, none by a timeout: {told}"
        expect(state(machine, pod), "crash-loop")
        shown = pods(machine)[pod["pod"]]
        expect(shown["generation"] - before, 5, "launches: the start limit's, however many ask")
        expect(shown["last_exit_reason"], "exited:3")
        refuses(machine, pod)
    invariants_hold(machine)


@case(once="13")
def podds_own_questions_are_no_visitors_of_a_pod_that_did_not_answer_them(machine):
    workloads(machine, "ProbeSec=1s\nProbeTimeoutSec=2s\nProbeFailures=100\n")
    pod = podctl(machine, "provision alice --tier socket", timeout=120)
    before = pods(machine)[pod["pod"]]
    machine.succeed(f"kill -STOP {before['main_pid']}")
    waiting = f"ss -Hltn src {pod['address']}:{pod['port']} | awk '{{ print $2 }}'"
    wait_until(lambda: int(machine.succeed(waiting)) >= 3, 60, 0.2, "podd has asked three times")
    expect(podctl(machine, f"status {pod['pod']}")["connections"], 0, "connections of users")
    machine.succeed(f"podctl evict {pod['pod']}", timeout=120)
    # The probes wait in the listening socket, which podd keeps open, until podd discards them.
    wait_until(lambda: int(machine.succeed(waiting)) == 0, 60, 0.2, "an empty queue")
    after = pods(machine)[pod["pod"]]
    expect((after["state"], after["generation"]), ("cold", before["generation"]), "the pod that was evicted")
    expect(woken(machine, pod), 0, "wakings")
    answers(machine, pod)
    invariants_hold(machine)

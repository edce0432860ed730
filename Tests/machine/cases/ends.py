"""Every way in which a generation ends: the reason, which is recorded once, and the next state of the pod.

`ENDS` is the table. Each of its rows is carried out on a real pod that runs files/misbehaving. The result is compared with
`podctl status`, the fields in the journal and the table of generations.
"""

import fnmatch
import json
from collections import Counter
from typing import NamedTuple

from loading import PROGRAMS, put_programs
from podctl_testing import agrees, case, evidence, expect, moment, names_an_oom_kill, podctl, wait_until

#: Many ends follow each other here; they must not hit the start limit or cause long pauses.
PODD = """\
[Podd]
RestartSec=50ms
RestartMaxDelaySec=500ms
StartLimitBurst=1000
"""

#: The workloads of the rows. The probe's timeouts suit an emulated machine.
WORKLOADS = {
    "plain": "Type=notify\nListen=socket\n",
    "probed": "Type=notify\nListen=socket\nProbe=http:/\nProbeSec=1s\nProbeTimeoutSec=3s\nProbeFailures=2\n",
    "binding": "Type=exec\nListen=port\nProbe=tcp\nProbeSec=1s\nProbeTimeoutSec=3s\nProbeFailures=2\n",
    "big": "Type=notify\nListen=socket\n",
}

COMMON = f"""\
[Workload]
ExecStart=/usr/bin/python3 -ES {PROGRAMS}/misbehaving
TimeoutStartSec=15s
TimeoutStopSec=2s
"""

#: Shell functions that the commands of the table may use, in addition to the variables of `Subject.environment`.
SHELL = ". /payload/files/ends.bash; "


class End(NamedTuple):
    name: str
    #: A key of `WORKLOADS`.
    workload: str
    #: The shell commands that end the generation.
    do: str
    #: The reasons that may be recorded; empty if the generation keeps running.
    reasons: tuple
    #: The state of the pod at the end, after `mend`.
    state: str
    mend: str = ""
    #: False if no generation was launched, so that no end is recorded.
    begun: bool = True


BY_ITSELF = (
    End("exit 0", "plain", "tell exit_0", ("exited:0",), "ready"),
    End("exit 3", "plain", "tell exit_3", ("exited:3",), "ready"),
    End("a segmentation fault", "plain", "tell segv", ("signal:SEGV",), "ready"),
    End("abort()", "plain", "tell abort", ("signal:ABRT",), "ready"),
    End("over its own limit, with one process", "plain", "tell eat", ("oom-own-limit",), "ready"),
    End("over its own limit, in one of several processes", "plain", "tell eat_in_a_child", ("oom-own-limit",), "ready"),
    End("exit with grandchildren that mind no SIGTERM", "plain", "tell grandchildren_and_exit", ("exited:0",), "ready"),
    End("daemonising", "plain", "tell daemonise", ("exited:0",), "ready"),
    End("exit 3 after starting a daemon", "plain", "tell leave_a_daemon; tell exit_3", ("exited:3",), "ready"),
)

FROM_OUTSIDE = (
    End("kill -KILL of the main process", "plain", "kill -KILL $PID", ("signal:KILL",), "ready"),
    End("kill -TERM of the main process", "plain", "kill -TERM $PID", ("signal:TERM",), "ready"),
    End("kill -SEGV of the main process", "plain", "kill -SEGV $PID", ("signal:SEGV",), "ready"),
    End("kill -STOP and -CONT", "plain", "kill -STOP $PID; kill -CONT $PID", (), "ready"),
    End("systemctl kill", "plain", "systemctl kill $UNIT", ("signal:TERM",), "ready"),
    End("systemctl kill --signal=KILL", "plain", "systemctl kill --signal=KILL $UNIT", ("signal:KILL",), "ready"),
    End("systemctl stop of the scope", "plain", "systemctl stop $UNIT", ("signal:TERM",), "ready"),
    End("systemctl stop of a scope that minds no SIGTERM", "plain", "tell ignore_term; systemctl stop $UNIT",
        ("signal:KILL",), "ready"),
    End("cgroup.kill, and the cgroup removed", "plain",
        "echo 1 > $CGROUP/cgroup.kill; until rmdir $CGROUP || [[ ! -e $CGROUP ]]; do sleep 0.05; done 2> /dev/null",
        ("signal:KILL",), "ready"),
    End("its limit lowered by hand", "plain", "echo 1M > $CGROUP/memory.max", ("oom-own-limit",), "ready"),
    End("its slice's limit", "big",
        "tell hold; until (( $(cat $CGROUP/memory.current) > 150 << 20 )); do sleep 0.2; done; "
        "echo 100M > ${CGROUP%/*}/memory.max; echo max > ${CGROUP%/*}/memory.max", ("oom-bystander",), "ready"),
    End("systemctl freeze", "probed", "systemctl freeze $UNIT", (), "frozen"),
    End("systemctl thaw", "probed", "systemctl thaw $UNIT", (), "ready"),
    End("kill -KILL of a frozen pod", "plain", "systemctl freeze $UNIT; kill -KILL $PID", ("signal:KILL",), "ready"),
)

HANGS = (
    End("SIGSTOP from outside", "probed", "kill -STOP $PID", ("health",), "ready"),
    End("SIGSTOP by itself", "probed", "tell stop_itself", ("health",), "ready"),
    End("a busy loop", "probed", "tell busy", ("health",), "ready"),
    End("no accept any more", "probed", "tell deaf", ("health",), "ready"),
    End("a full accept queue", "binding", "tell deaf; fill", ("health",), "ready", "end_filling"),
    End("a closed listening socket", "binding", "tell close_the_socket", ("health",), "ready"),
)

MENDED = "rm -f /etc/podctl/workloads/$WORKLOAD.conf.d/broken.conf"
NORMAL_START = "rm -f $STATE/at-start"

LAUNCHES = (
    End("no such program", "plain", r"broken $'ExecStart=\nExecStart=/usr/bin/nonesuch'",
        ("launch-failed:exec:ENOENT",), "ready", MENDED),
    End("a program that is not executable", "plain", r"broken $'ExecStart=\nExecStart=/etc/hostname'",
        ("launch-failed:exec:EACCES",), "ready", MENDED),
    End("a program of no known format", "plain", rf"broken $'ExecStart=\nExecStart={PROGRAMS}/no-program'",
        ("launch-failed:exec:ENOEXEC",), "ready", MENDED),
    End("a path that is not there", "plain", "broken ReadOnlyPaths=/nonesuch", ("launch-failed:mount:ENOENT",),
        "ready", MENDED),
    End("an unknown key in the workload's file", "plain", "broken Frobnicate=yes", ("launch-failed:settings:*",),
        "ready", MENDED, begun=False),
    End("a users' template that cannot be read", "plain", "broken UsersTemplate=/nonesuch.mustache",
        ("launch-failed:users:*",), "ready", MENDED),
    End("a users' template that is none", "plain", f"broken UsersTemplate={PROGRAMS}/bad.mustache",
        ("launch-failed:users:*",), "ready", MENDED),
    End("no pod-launch", "plain", "mv /usr/lib/podctl/pod-launch{,.away}; kill -KILL $PID",
        ("launch-failed:spawn:ENOENT",), "ready", "mv /usr/lib/podctl/pod-launch{.away,}"),
    End("a unit of the next generation's name", "plain",
        "systemd-run --quiet --scope --unit=$NEXT sleep 100 > /dev/null 2>&1 & "
        "until systemctl -q is-active $NEXT; do sleep 0.1; done; kill -KILL $PID",
        ("launch-failed:scope:EEXIST",), "ready", "systemctl stop $NEXT 2> /dev/null || :"),
    End("other limits than the tier's", "plain",
        r"mkdir -p /run/systemd/system/$POD-.scope.d; "
        r"printf '[Scope]\nMemoryMax=50M\n' > /run/systemd/system/$POD-.scope.d/other.conf; "
        "systemctl daemon-reload; kill -KILL $PID", ("launch-failed:limits:ERANGE",), "ready",
        "rm -r /run/systemd/system/$POD-.scope.d; systemctl daemon-reload"),
    End("its port taken, where podd binds it", "plain", "podctl stop $POD; take_port; podctl start $POD || :",
        ("launch-failed:socket:EADDRINUSE",), "ready", "give_port_back"),
    End("its port taken, where the program binds it", "binding",
        "podctl stop $POD; take_port; podctl start $POD || :", ("launch-failed:socket:EADDRINUSE",), "ready",
        "give_port_back"),
    End("exit while it starts", "plain", "at_start exit_3; kill -KILL $PID", ("exited:3",), "ready", NORMAL_START),
    End("killed while it starts", "plain", "at_start segv; kill -KILL $PID", ("signal:SEGV",), "ready", NORMAL_START),
    End("never ready", "plain", "at_start never_ready; kill -KILL $PID", ("start-timeout",), "ready", NORMAL_START),
    End("over its limit while it starts", "plain", "at_start eat; kill -KILL $PID", ("oom-own-limit",), "ready",
        NORMAL_START),
)

BY_HAND = (
    End("podctl restart", "plain", "podctl restart $POD", ("operator",), "ready"),
    End("podctl stop", "plain", "podctl stop $POD", ("operator",), "stopped"),
    End("podctl start", "plain", "podctl start $POD", (), "ready"),
    End("podctl stop of one that ignores SIGTERM", "plain", "tell ignore_term; podctl stop $POD", ("operator",),
        "ready", "podctl start $POD"),
    End("podctl stop of one with grandchildren", "plain", "tell grandchildren; podctl stop $POD", ("operator",), "ready",
        "podctl start $POD"),
    End("podctl stop of one with a daemon", "plain", "tell leave_a_daemon; podctl stop $POD", ("operator",), "ready",
        "podctl start $POD"),
    End("podctl stop of one that SIGSTOP holds", "plain", "kill -STOP $PID; podctl stop $POD", ("operator",), "ready",
        "podctl start $POD"),
    End("podctl stop of one that systemctl froze", "plain", "systemctl freeze $UNIT; podctl stop $POD", ("operator",),
        "ready", "podctl start $POD"),
    End("podctl restart of one that ignores SIGTERM", "plain", "tell ignore_term; podctl restart $POD", ("operator",),
        "ready"),
    End("podctl stop while it starts", "plain",
        "at_start never_ready; podctl restart $POD 2> /dev/null & "
        "until podctl --json status -n 0 $POD | jq -e '.state == \"starting\"'; do sleep 0.1; done > /dev/null; "
        "podctl stop $POD; wait",
        ("operator",), "ready", NORMAL_START + "; podctl start $POD"),
    End("the last user deprovisioned", "plain", "podctl deprovision $OWNER", ("idle",), "cold"),
    End("the user provisioned again", "plain", "podctl provision $OWNER --tier $TIER", (), "ready"),
)

#: The verbs of supervision.
BY_NEWER_VERBS = (
    End("podctl recycle", "plain", "podctl recycle $POD", ("operator",), "ready"),
    End("podctl evict", "plain", "podctl evict $POD", ("operator", "pressure"), "cold"),
    End("podctl wake of a cold pod", "plain", "podctl wake $POD", (), "ready"),
    End("podctl freeze", "probed", "podctl freeze $POD", (), "frozen"),
    End("podctl wake of a frozen pod", "probed", "podctl wake $POD", (), "ready"),
    End("podctl freeze and thaw", "plain", "podctl freeze $POD; podctl thaw $POD", (), "ready"),
    End("podctl stop of one that podctl froze", "plain", "podctl freeze $POD; podctl stop $POD", ("operator",), "ready",
        "podctl start $POD"),
)

AWAY = "systemctl stop podd.service; "
BACK = "; systemctl start podd.service"

WITHOUT_PODD = (
    End("kill -KILL while podd is away", "plain", AWAY + "kill -KILL $PID" + BACK, ("unknown-adopted",), "ready"),
    End("systemctl stop while podd is away", "plain", AWAY + "systemctl stop $UNIT" + BACK, ("unknown-adopted",),
        "ready"),
    End("exit 3 while podd is away", "plain", AWAY + "tell exit_3" + BACK, ("unknown-adopted",), "ready"),
    End("daemonising while podd is away", "plain", AWAY + "tell daemonise" + BACK, ("unknown-adopted",), "ready"),
    End("systemctl freeze while podd is away", "plain", AWAY + "systemctl freeze $UNIT" + BACK, (), "frozen"),
    End("systemctl thaw while podd is away", "plain", AWAY + "systemctl thaw $UNIT" + BACK, (), "ready"),
    End("podd killed, and the pod with it", "plain",
        "kill -KILL $(systemctl show -P MainPID podd.service); kill -KILL $PID", ("unknown-adopted", "signal:KILL"),
        "ready"),
    End("kill -KILL of a pod that was taken over", "plain", AWAY[:-2] + BACK + "; kill -KILL $PID",
        ("unknown-adopted", "signal:KILL"), "ready"),
    End("over its own limit after it was taken over", "plain", AWAY[:-2] + BACK + "; tell eat", ("oom-own-limit",),
        "ready"),
    End("podctl stop after it was taken over", "plain", AWAY[:-2] + BACK + "; podctl stop $POD", ("operator",), "ready",
        "podctl start $POD"),
)

ENDS = BY_ITSELF + FROM_OUTSIDE + HANGS + LAUNCHES + BY_HAND + BY_NEWER_VERBS + WITHOUT_PODD

class Facts(NamedTuple):
    """The recorded facts about a pod (files/look-at-pod)."""

    #: The output of podctl.
    shown: dict
    #: The pod's generations in the database.
    rows: list
    #: The pod's processes outside its current scope.
    strays: str
    #: The ends in the journal, by unit: lists of (message id, reason).
    journal: dict

    def __str__(self):
        rows = ", ".join(f"{row['generation']}: {row['reason']}" for row in self.rows[:4])
        ended = ", ".join(f"{unit}: {[reason for _, reason in ends[:2]]}" for unit, ends in [*self.journal.items()][:4])
        return (f"{self.shown['state']}, last exit reason {self.shown['last_exit_reason']}, ends of generations {rows}"
                f", in the journal {ended}" + (f", outside its scope {self.strays}" if self.strays else ""))


class Subject:
    """A pod on which the rows of a table are carried out."""

    def __init__(self, machine, workload):
        self.machine, self.workload, self.tier = machine, f"ends{workload}", f"ends{workload}"
        memory = "MemoryMax=320M" if workload == "big" else "MemoryMax=64M"
        machine.put(f"/etc/podctl/workloads/{self.workload}.conf", COMMON + WORKLOADS[workload])
        machine.put(f"/etc/podctl/tiers/{self.tier}.conf",
                    f"[Tier]\nWorkload={self.workload}\nUsersPerPod=1\n{memory}\nTasksMax=64\nCPUQuota=100%\n")
        self.owner = f"owner-of-{workload}"
        self.place = podctl(machine, f"provision {self.owner} --tier {self.tier}", timeout=120)
        self.pod = self.place["pod"]

    def facts(self, generation=0, since=""):
        """The current facts about the pod; None if podd or its database cannot be read at the moment."""
        result = self.machine.run(f"/payload/files/look-at-pod {self.pod} {generation} '{since}'")
        if result.status != 0:
            return None
        shown, rows, strays, journal = result.stdout.split("----\n")
        ends = {}
        for entry in map(json.loads, journal.splitlines()):
            ends.setdefault(entry.get("POD_UNIT"), []).append((entry["MESSAGE_ID"], entry["POD_REASON"]))
        return Facts(json.loads(shown), json.loads(rows or "[]"), strays.strip(), ends)

    def environment(self, shown):
        unit = shown["unit"] or ""
        return {
            "POD": self.pod, "PID": str(shown["main_pid"] or ""), "UNIT": unit, "OWNER": self.owner, "TIER": self.tier,
            "WORKLOAD": self.workload, "FRONT": self.place["front_address"], "ADDRESS": self.place["address"],
            "PORT": str(self.place["port"]), "URL": f"http://{self.place['address']}:{self.place['port']}",
            "STATE": f"/var/lib/podctl/pods/{self.pod}", "NEXT": f"{self.pod}-{shown['generation'] + 1}.scope",
            "CGROUP": f"/sys/fs/cgroup/pods.slice/pods-{self.tier}.slice/{unit}"}


def matches(reason, wanted):
    return reason is not None and any(fnmatch.fnmatchcase(reason, pattern) for pattern in wanted)


def awaited(subject, generation, since, condition, what):
    """Waits until CONDITION holds for the facts, and returns them."""
    last = [None]

    def holds():
        facts = subject.facts(generation, since)
        last[0] = facts or last[0]
        return facts if facts is not None and condition(facts) else None

    try:
        return wait_until(holds, 45)
    except TimeoutError:
        raise AssertionError(f"expected {what}, got {last[0]}") from None


def happens(end, subject):
    """Carries out END, and checks that it is recorded as the table says."""
    before = wait_until(subject.facts, 30, what="podd shows the pod").shown
    # If the pod does not run, only a later generation can end.
    generation = before["generation"] + (0 if before["unit"] else 1)
    since = moment(subject.machine)
    words = subject.environment(before)

    def concluded(facts):
        """The end is on record, or no generation ended."""
        if not end.reasons:
            return True
        return matches(facts.shown["last_exit_reason"], end.reasons) and (
            not end.begun or any(matches(row["reason"], end.reasons) for row in facts.rows))

    def settled(facts):
        """The pod is in the state of the row, has no processes elsewhere, and the journal has the end."""
        ended = {row["unit"] for row in facts.rows if row["reason"]}
        return facts.shown["state"] == end.state and not facts.strays and ended <= set(facts.journal)

    try:
        subject.machine.succeed(SHELL + end.do, environment=words, timeout=120)
        if end.mend:
            awaited(subject, generation, since, concluded, f"the reason {' or '.join(end.reasons)}")
    finally:
        if end.mend:
            subject.machine.succeed(SHELL + end.mend, environment=words, timeout=120)
    wanted = f"the state {end.state}"
    if end.reasons and not end.mend:
        wanted += f" and the reason {' or '.join(end.reasons)}"
    facts = awaited(subject, generation, since,
                   lambda facts: settled(facts) and (end.mend or concluded(facts)), wanted)
    if not end.reasons:
        ended = [row for row in facts.rows if row["reason"] and row["generation"] == facts.shown["generation"]]
        expect(ended, [], "ends on record although nothing ended")
    once(facts)


def once(facts):
    """Expects each end in the journal once, with the reason of the table of generations."""
    for row in facts.rows:
        if row["reason"]:
            entries = facts.journal[row["unit"]]
            expect({reason for _, reason in entries}, {row["reason"]}, f"reasons of {row['unit']} in the journal")
            expect(max(Counter(message for message, _ in entries).values()), 1, f"entries of one kind about {entries[:4]}")


def all_happen(machine, ends):
    """Carries out all of ENDS, even if some fail; then fails with all problems."""
    put_programs(machine, "misbehaving")
    machine.put(f"{PROGRAMS}/no-program", "neither a program nor a script\n", mode=0o755)
    machine.put(f"{PROGRAMS}/bad.mustache", "{{#users}} never closed\n")
    machine.put("/etc/podctl/podd.conf.d/ends.conf", PODD)
    machine.succeed("systemctl restart podd.service")
    subjects, wrong = {}, []
    for workload in dict.fromkeys(end.workload for end in ends):
        subjects[workload] = Subject(machine, workload)
    for end in ends:
        try:
            happens(end, subjects[end.workload])
        except Exception as error:
            wrong.append(f"{end.name}: {error}")
            tidy(machine, subjects[end.workload])
    if not wrong:
        agrees(machine)
    assert not wrong, f"{len(wrong)} of {len(ends)} ends are recorded wrongly:\n" + "\n".join(wrong)


def tidy(machine, subject):
    """Restores the pod after a row that failed, for the next row."""
    machine.run("systemctl start podd.service", timeout=60)
    for command in ("systemctl thaw 'pod-*.scope'", f"podctl provision {subject.owner} --tier {subject.tier}",
                    f"podctl reset {subject.pod}", f"podctl start {subject.pod}"):
        machine.run(command, timeout=120)


@case()
def a_pod_that_ends_by_itself_says_why_once_and_comes_back(machine):
    assert len(ENDS) >= 25
    all_happen(machine, BY_ITSELF)


@case()
def a_pod_that_is_ended_from_outside_says_why_once_and_comes_back(machine):
    all_happen(machine, FROM_OUTSIDE)


@case(once="13")
def a_pod_that_hangs_is_found_and_replaced(machine):
    all_happen(machine, HANGS)


@case(once="12")
def a_launch_that_fails_says_at_which_stage_and_is_tried_again(machine):
    all_happen(machine, LAUNCHES)


@case(once="13")
def a_pod_that_is_stopped_by_hand_leaves_nothing_and_says_so(machine):
    all_happen(machine, BY_HAND)


@case(once="12")
def a_pod_that_is_recycled_evicted_frozen_and_woken_says_so(machine):
    all_happen(machine, BY_NEWER_VERBS)


@case(once="13")
def a_pod_that_ends_while_podd_is_away_is_on_record_and_comes_back(machine):
    all_happen(machine, WITHOUT_PODD)


#: Allocates memory until the kernel's OOM killer kills another process; it must not be killed itself.
HOG = r"""
import mmap
def kills():
    return next(int(line.split()[1]) for line in open("/proc/vmstat") if line.startswith("oom_kill "))
open("/proc/self/oom_score_adj", "w").write("-1000")
before, held = kills(), []
while kills() == before:
    piece = mmap.mmap(-1, 4 << 20)
    for page in range(0, len(piece), mmap.PAGESIZE):
        piece[page] = 1
    held.append(piece)
"""


@case(memory=700, once="12")
def a_pod_that_dies_because_the_host_is_out_of_memory_is_told_from_one_over_its_limit(machine):
    put_programs(machine, "misbehaving")
    # podd would free memory first (cases/memory_shortage.py); this case needs a kill.
    machine.put("/etc/podctl/podd.conf.d/ends.conf", PODD + "ShortageAction=none\n")
    machine.succeed("systemctl restart podd.service")
    neighbour = podctl(machine, "provision neighbour", timeout=120)
    subject = Subject(machine, "big")
    machine.put("/run/hog", HOG)
    podd = machine.succeed("systemctl show -P MainPID podd.service")
    happens(End("bystander", "big",
                "tell hold; until (( $(cat $CGROUP/memory.current) > 150 << 20 )); do sleep 0.2; done; "
                "python3 /run/hog", ("oom-bystander",), "ready"), subject)
    expect(machine.succeed("systemctl show -P MainPID podd.service"), podd, "podd's process")
    found = last_evidence(machine, subject)
    assert names_an_oom_kill(found, own_limit=False), found
    happens(End("own limit", "big", "tell eat", ("oom-own-limit",), "ready"), subject)
    # Until the memory is free again, any allocation may cause another kill.
    ends = {each["reason"] for each in podctl(machine, f"status {neighbour['pod']}")["generations"]}
    assert ends <= {None, "oom-bystander"}, f"the neighbour ended with {ends}"
    agrees(machine)


def last_evidence(machine, subject):
    """The evidence of SUBJECT's last end."""
    generations = podctl(machine, f"status {subject.pod}")["generations"]
    return evidence(next(each for each in generations if each["reason"]))


#: The expected evidence, by the name of the row.
EVIDENCE = ("exit", "oom_kills", "own_limit_ooms", "oomd_kills", "unit_result", "adopted", "memory_current", "memory_peak",
            "memory_max", "probe_error", "cut_connections", "log")


@case(once="13")
def the_evidence_of_an_end_is_kept_with_it_and_shown_by_status_and_explain(machine):
    put_programs(machine, "misbehaving")
    machine.put("/etc/podctl/podd.conf.d/ends.conf", PODD)
    machine.succeed("systemctl restart podd.service")
    plain, probed = Subject(machine, "plain"), Subject(machine, "probed")
    found = {}
    for end, subject in ((BY_ITSELF[1], plain), (BY_ITSELF[5], plain), (HANGS[0], probed)):
        happens(end, subject)
        if end.name == "exit 3":
            # podd reads the last lines after the next generation has been launched.
            wait_until(lambda: last_evidence(machine, subject)["log"], 30, what="the last lines in the evidence")
        found[end.name] = last_evidence(machine, subject)
        expect(sorted(set(EVIDENCE) - set(found[end.name])), [], f"missing in the evidence of {end.name}")
    expect(found["exit 3"]["exit"], "exited:3")
    assert any("told to exit_3" in str(line) for line in found["exit 3"]["log"]), found["exit 3"]
    limit = found[BY_ITSELF[5].name]
    assert names_an_oom_kill(limit, own_limit=True), limit
    expect(limit["memory_max"], 64 << 20)
    assert found["SIGSTOP from outside"]["probe_error"], found["SIGSTOP from outside"]
    explained = machine.succeed(f"podctl explain {probed.pod}")
    assert "health" in explained and probed.pod in explained, explained

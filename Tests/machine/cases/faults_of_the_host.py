"""The host fails, or is not as podd expects it: nothing of that is held against a pod, and nothing of it harms one
(decision 0024)."""

import json

from podctl_testing import case, curl, expect, podctl, pods, token, unit, wait_until

#: As simple as many a start script: it knows nothing of SIGPIPE.
TALKATIVE = """\
#!/bin/bash
python3 -m http.server --bind "$1" "$2" > /dev/null 2>&1 &
while :; do echo tick; sleep 0.2; done
"""

#: Answers with a file, and dies with last words.
READER = """\
import http.server, os, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            body = open(self.path, "rb").read()
        except OSError as error:
            body = str(error).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if self.path == "/die":
            print("the ledger is torn", flush=True)
            threading.Timer(0.5, lambda: os._exit(3)).start()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""

BINDING = "Listen=port\nType=exec\nProbe=tcp\nTimeoutStopSec=5s\n"

JOURNAL = "systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service"


def workload(machine, name, lines):
    machine.put(f"/etc/podctl/workloads/{name}.conf", f"[Workload]\n{lines}")
    machine.put(f"/etc/podctl/tiers/{name}.conf", f"[Tier]\nWorkload={name}\nUsersPerPod=1\nMemoryMax=128M\n")


def faults(machine):
    """The reasons for which pods wait for the host, as podctl status has them."""
    return {each["reason"]: each for each in podctl(machine, "status")["host_faults"]}


def fails(machine, pod, stages, words):
    """Ends the pod's program, and expects that launches fail at one of these stages, more often than the start limit
    allows, without a hold; and that status and doctor say what is missing."""
    before = pods(machine)[pod]
    machine.succeed(f"kill -KILL {before['main_pid']}")

    def often():
        now = pods(machine)[pod]
        assert now["state"] != "crash-loop", now
        return now["state"] == "backoff" and now["generation"] > before["generation"] + 5 and now

    now = wait_until(often, 120, what=f"launches of {pod} fail")
    assert now["last_exit_reason"].split(":")[1] in stages, now["last_exit_reason"]
    found = faults(machine)
    assert any(pod in each["pods"] and words in each["what"] for each in found.values()), found
    doctor = machine.run("podctl doctor")
    assert words in doctor.stdout and "podd tries again by itself" in doctor.stdout, doctor.stdout


def returns(machine, pod, what):
    """Nobody helps."""
    wait_until(lambda: pods(machine)[pod]["state"] == "ready", 60, what=f"{pod} is back after {what}")
    wait_until(lambda: not faults(machine), 30, what="nothing is missing any more")


@case()
def what_the_host_lacks_for_a_while_is_not_held_against_a_pod(machine):
    machine.put("/usr/local/lib/talkative", TALKATIVE, mode=0o755)
    workload(machine, "talkative", "ExecStart=/usr/local/lib/talkative ${ADDRESS} ${PORT}\n" + BINDING)
    workload(machine, "open", "ExecStart=/usr/lib/podctl/podserve --users ${USERS_FILE}\nListen=socket\n"
             "IPAddressAllow=192.0.2.1\n")
    pod, quiet, talkative, reaching = (
        podctl(machine, f"provision {user} --tier {tier}", timeout=180)["pod"]
        for user, tier in (("alice", "enterprise"), ("bob", "free"), ("carol", "talkative"), ("dave", "open")))
    untouched = {name: pods(machine)[name]["main_pid"] for name in (quiet, talkative)}

    # The journal: who writes to it lives on, as a service would.
    machine.succeed(f"systemctl stop {JOURNAL} 2> /dev/null; ! systemctl is-active -q systemd-journald.service")
    fails(machine, pod, ("journal",), "the journal does not take the pod's output")
    expect({name: pods(machine)[name]["main_pid"] for name in untouched}, untouched, "main processes without a journal")
    machine.succeed(f"systemctl start {JOURNAL}")
    returns(machine, pod, "the journal")

    # Space in /run.
    size = machine.succeed("findmnt -no OPTIONS /run | tr , '\\n' | sed -n 's/^size=//p'").strip() or "20%"
    machine.succeed("mount -o remount,size=$(($(df -k --output=used /run | tail -n 1) + 64))k /run")
    filler = machine.start("until test -e /tmp/enough; do cat /dev/zero >> /run/fill 2> /dev/null; sleep 0.05; done")
    machine.succeed("until test $(df -k --output=avail /run | tail -n 1) -lt 8; do sleep 0.05; done")
    fails(machine, pod, ("files", "users", "scope"), "")
    machine.succeed(f"touch /tmp/enough; mount -o remount,size={size} /run; rm -f /run/fill")
    filler.wait(30)
    machine.succeed("rm -f /run/fill")
    returns(machine, pod, "the full /run")

    # nft, which a pod needs that may reach the network.
    machine.succeed("mv /usr/sbin/nft /root/nft")
    fails(machine, reaching, ("firewall",), "the packet filter")
    machine.succeed("mv /root/nft /usr/sbin/nft")
    returns(machine, reaching, "nft")

    expect({name: pods(machine)[name]["main_pid"] for name in untouched}, untouched, "main processes")
    expect({row["state"] for row in pods(machine).values()}, {"ready"})
    expect(podctl(machine, "doctor --invariants"), [])


@case()
def podd_stops_no_foreign_scope_and_believes_no_foreign_database(machine):
    for name in ("pod-nightly", "pod-901-1"):
        machine.succeed(f"systemd-run --unit={name}.scope --scope sleep infinity > /dev/null 2>&1 & "
                        f"until systemctl -q is-active {name}.scope; do sleep 0.1; done")
    podctl(machine, "provision alice", timeout=180)
    machine.succeed("systemctl restart podd.service")
    podctl(machine, "pods")
    expect(machine.succeed("systemctl is-active pod-nightly.scope pod-901-1.scope").split(), ["active"] * 2)

    def refuses(*words):
        """Whoever calls starts podd, which says why it does not begin, and changes nothing."""
        machine.run("busctl introspect org.podctl1 /org/podctl1", user="visitor", timeout=120)
        wait_until(lambda: unit(machine, "podd.service", "ActiveState")["ActiveState"] == "failed", 60, what="podd gives up")
        expect(unit(machine, "podd.service", "ExecMainStatus"), {"ExecMainStatus": "78"})
        status = machine.run("systemctl status --no-pager --full podd.service").stdout
        for word in (*words, "systemctl mask --runtime podd.service", "the pods run on"):
            assert word in status, f"{word!r} is not in {status}"
        machine.succeed(f"test -e /proc/{pid}")

    # An older one, as a restored backup is.
    machine.succeed("systemctl stop podd.service; cd /var/lib/podctl; sqlite3 podctl.db 'PRAGMA wal_checkpoint(TRUNCATE)'; "
                    "cp -p podctl.db /root/older.db; systemctl start podd.service")
    podctl(machine, "restart pod-001", timeout=120)
    pid = pods(machine)["pod-001"]["main_pid"]
    machine.succeed("systemctl stop podd.service; cd /var/lib/podctl; sqlite3 podctl.db 'PRAGMA wal_checkpoint(TRUNCATE)'; "
                    "mv podctl.db /root/good.db; rm -f podctl.db-*; cp -p /root/older.db podctl.db")
    refuses("is older than what runs", "pod-001-2.scope")
    # None at all: it is not made anew.
    machine.succeed("rm -f /var/lib/podctl/podctl.db*")
    refuses("is missing", "pod-001-2.scope runs")
    assert machine.run("test -e /var/lib/podctl/podctl.db").status != 0, "a new database was begun"
    machine.succeed("mv /root/good.db /var/lib/podctl/podctl.db; systemctl start podd.service")
    row = pods(machine)["pod-001"]
    expect((row["state"], row["main_pid"], row["restarts"]), ("ready", pid, 0))


@case()
def a_pod_gets_from_the_host_what_the_host_has(machine):
    machine.put("/usr/local/lib/reader.py", READER)
    workload(machine, "reader",
             "ExecStart=/usr/bin/python3 /usr/local/lib/reader.py ${ADDRESS} ${PORT}\nIPAddressAllow=any\n" + BINDING)
    workload(machine, "solo", "ExecStart=/usr/lib/podctl/podserve --users ${USERS_FILE}\nListen=socket\n")
    # A link to where systemd-resolved keeps its file, a disk below /srv, and the directory on another disk.
    machine.succeed("""
        mkdir -p /run/systemd/resolve /srv/disk /mnt/large
        echo 'search first.test' > /run/systemd/resolve/stub-resolv.conf
        ln -sfn ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
        mount -t tmpfs disk /srv/disk
    """)
    solo = podctl(machine, "provision alice --tier solo", timeout=180)
    secret = token(machine, "alice")
    at = "/api/v2/select?p=d&c=1.1.1/1.1.1/1.1.1"
    expect(curl(machine, solo, "/api/v2/insert?p=d&c=1.1.1/1.1.1/1.1.1&s=kept", user_token=secret)[0], 200)
    machine.succeed("systemctl stop pods.slice; mv /var/lib/podctl /mnt/large/podctl; "
                    "ln -s /mnt/large/podctl /var/lib/podctl; systemctl start podd.service")
    wait_until(lambda: pods(machine)[solo["pod"]]["state"] == "ready", 60, what="the pod is back behind the link")
    expect(curl(machine, solo, at, user_token=secret), (200, "kept"))
    reader = podctl(machine, "provision bob --tier reader", timeout=180)
    assert int(machine.succeed("ls /mnt/large/podctl/pods | wc -l")) == 2, "the data is on the other disk"

    assert "first.test" in curl(machine, reader, "/etc/resolv.conf")[1]
    machine.succeed("cd /run/systemd/resolve; echo 'search second.test' > new; mv new stub-resolv.conf")
    assert "second.test" in curl(machine, reader, "/etc/resolv.conf")[1], "the file that replaced the first"
    # Only who may reach the resolver sees its directory.
    for pod, status in ((reader, 0), (solo, 2)):
        pid = pods(machine)[pod["pod"]]["main_pid"]
        expect(machine.run(f"ls /proc/{pid}/root/run/systemd/resolve").status, status, pod["pod"])

    assert machine.succeed("grep -ls ' /srv/disk ' /proc/[0-9]*/mountinfo || true").count("\n") > 2, "pods see the disk"
    machine.succeed("umount /srv/disk")
    expect(machine.succeed("grep -ls ' /srv/disk ' /proc/[0-9]*/mountinfo || true"), "", "who keeps the disk")

    # A person's user id is not given to a pod, and a pod that has one already is named.
    taken = 1900000000 + 3
    machine.succeed(f"echo 'ivan:x:{taken}:{taken}::/:/bin/sh' >> /etc/passwd; "
                    "echo 'olga:x:1900000001:1900000001::/:/bin/sh' >> /etc/passwd")
    carol = podctl(machine, "provision carol --tier solo", timeout=180)
    expect(carol["pod"], "pod-004")
    assert "pod-001 runs as user id 1900000001, which belongs to olga" in machine.run("podctl doctor").stdout
    machine.succeed("sed -i '/^ivan:/d; /^olga:/d' /etc/passwd")

    # The clock goes back: a crash after that has its last words, and its journal.
    machine.succeed("date -s '-100 minutes'")
    before = pods(machine)[reader["pod"]]
    curl(machine, reader, "/die")
    wait_until(lambda: pods(machine)[reader["pod"]]["generation"] > before["generation"]
               and pods(machine)[reader["pod"]]["state"] == "ready", 60, what="the next generation")

    def last_words():
        ended = [each for each in podctl(machine, f"explain {reader['pod']}")["generations"] if each["reason"] == "exited:3"]
        return ended and "the ledger is torn" in json.dumps(ended[0]["evidence"])

    wait_until(last_words, 30, what="the last words")
    machine.succeed("date -s '+100 minutes'")


@case(once="12")
def a_purge_takes_what_is_podctls_and_nothing_else(machine):
    # A file system of its own, and somebody's directory that is mounted in a pod's.
    machine.succeed("""
        systemctl stop podd.service && rm -rf /var/lib/podctl && mkdir -m 700 /var/lib/podctl
        mount -t tmpfs -o mode=700 podctl /var/lib/podctl && systemctl start podd.service
        mkdir -p /root/archive && echo kept > '/root/archive/a file'
    """)
    podctl(machine, "provision alice", timeout=180)
    machine.succeed("""
        mkdir '/var/lib/podctl/pods/pod-001/the archive'
        mount --bind /root/archive '/var/lib/podctl/pods/pod-001/the archive'
        dpkg-deb -e /payload/repo/*/podctl_*.deb /root/scripts 2> /dev/null || \
            dpkg-deb -e "$(find /payload/repo -name 'podctl_*.deb' | head -n 1)" /root/scripts
    """)
    # A call while the package goes starts nothing again.
    calling = machine.start("until test -e /tmp/enough; do podctl pods > /dev/null 2>&1; done")
    purge = machine.run("DEBIAN_FRONTEND=noninteractive apt-get -q -y purge podctl < /dev/null", timeout=300)
    machine.succeed("touch /tmp/enough")
    calling.wait(60)
    expect(purge.status, 0, purge.stdout + purge.stderr)
    expect(machine.run("pgrep -u 1900000001; systemctl list-units --plain --no-legend 'pod-*'").stdout, "", "what runs on")
    expect(machine.succeed("cat '/root/archive/a file'"), "kept\n")
    expect(machine.succeed("ls -A /var/lib/podctl"), "", "what is left")
    assert "/var/lib/podctl is a mount point" in purge.stdout + purge.stderr, purge.stderr
    expect(machine.run("ls /run/systemd/system/podd.service").stdout, "", "the mask")
    machine.succeed("umount /var/lib/podctl && rmdir /var/lib/podctl && mkdir -m 700 /mnt/data && "
                    "touch /mnt/data/podctl.db && ln -s /mnt/data /var/lib/podctl")
    again = machine.run("/root/scripts/postrm purge")
    expect(again.status, 0, again.stderr)
    assert "/mnt/data; the data there is kept" in again.stderr, again.stderr
    machine.succeed("test -e /mnt/data/podctl.db && ! test -L /var/lib/podctl")

"""A customer inherits nothing (docs/design.md, invariant 9): what a pod stored for one user, or holds of the user's data,
reaches nobody else."""

import json
import pathlib

from attacking import Attacker, attackers
from podctl_testing import agrees, case, curl, expect, podctl, pods, recorded, refused, token, wait_until

#: What lies in the pod's state directory, but for the directories of its users.
STORED = "answer(sorted(os.listdir('.')) + os.listdir('users'))"


def provision(machine, user, tier):
    row = podctl(machine, f"provision {user} --tier {tier}", timeout=120)
    return Attacker(machine, row["pod"], row["address"], row["front_address"], row["port"], row["unit"])


@case()
def a_customer_inherits_nothing_of_a_pods_former_customers(machine):
    alice = attackers(machine, "alice")["alice"]
    alice.run("open('dump.rdb', 'w').write('card'); os.makedirs('cache/deep'); os.chmod('.', 0o777); answer(0)")
    machine.succeed("podctl deprovision --purge alice")
    expect(machine.succeed("find /var/lib/podctl -name dump.rdb -o -name alice"), "", "left of a purged user")
    bob = provision(machine, "bob", "attacksocket")
    expect((bob.pod, bob.run(STORED)), (alice.pod, ["users", "bob"]), "what the next user finds")

    # What is kept comes back to bob, and to nobody else.
    bob.run("open('dump.rdb', 'w').write('of bob'); open('users/bob/file', 'w').write('bob'); answer(0)")
    machine.succeed("podctl deprovision bob")
    carl = provision(machine, "carl", "attacksocket")
    expect((carl.pod, carl.run(STORED)), (alice.pod, ["users", "carl"]))
    carl.run("open('dump.rdb', 'w').write('of carl'); answer(0)")
    again = provision(machine, "bob", "attacksocket")
    expect(again.run("answer([open('dump.rdb').read(), open('users/bob/file').read(), os.stat('dump.rdb').st_uid])"),
           ["of bob", "bob", 1900000002])
    # A failed call leaves nothing of what its program stored either.
    machine.put("/etc/podctl/workloads/fails.conf",
                "[Workload]\nExecStart=/bin/sh -c 'echo secret > stored; exit 3'\nType=notify\n")
    machine.put("/etc/podctl/tiers/fails.conf", "[Tier]\nWorkload=fails\nUsersPerPod=1\nMemoryMax=64M\nMemoryHigh=64M\n")
    refused(machine, "podctl provision dora --tier fails", 1, timeout=120)
    expect(machine.succeed("ls /var/lib/podctl/pods").split(), ["pod-001", "pod-002"])
    # Names of files are not names of users.
    machine.succeed("podctl deprovision carl")
    rdb = provision(machine, "dump.rdb", "attacksocket")
    expect(rdb.run("open('dump.rdb', 'w').write('x'); answer(sorted(os.listdir('.')))"), ["dump.rdb", "users"])
    agrees(machine)


#: Holds what it can of alice's data, and tries it when mate's directory has a file `go`.
HOLDS = """
os.umask(0)
os.makedirs("users/alice/docs", 0o777)
file = open("users/alice/docs/old", "w+"); file.write("old"); file.flush(); os.fchmod(file.fileno(), 0o666)
docs = os.open("users/alice/docs", os.O_RDONLY); top = os.open("users/alice", os.O_RDONLY)
os.link("users/alice/docs/old", "users/mate/stolen")
if os.fork() == 0:
    os.setsid(); os.close(sys.stdout.fileno())
    while not os.path.exists("users/mate/go"): time.sleep(0.05)
    file.seek(0)
    found = {"read": file.read(), "stolen": open("users/mate/stolen").read(), "users": os.listdir("users")}
    for name, held in (("docs", docs), ("top", top)):
        found[name] = outcome(lambda: os.close(os.open("planted", os.O_CREAT | os.O_WRONLY, 0o666, dir_fd=held)))
        found["in " + name] = outcome(lambda: os.close(os.open("old", os.O_RDWR, dir_fd=held)))
    json.dump(found, open("users/mate/found.new", "w")); os.rename("users/mate/found.new", "users/mate/found")
    os._exit(0)
answer(0)
"""


@case()
def data_that_changes_pods_is_out_of_reach_of_the_former_pod(machine):
    # A signal that the program ignores: it runs on when its users change.
    first = attackers(machine, "alice", tier="UsersPerPod=2", workload="ReloadSignal=SIGWINCH")["alice"]
    provision(machine, "mate", "attacksocket")
    first.run(HOLDS)
    # In the middle of a deprovision, the program cannot put anything in the place of a user's directory.
    expect(first.run("answer([outcome(os.rename, 'users/alice', 'users/x'), outcome(os.symlink, '/', 'users/y')])"),
           ["EACCES", "EACCES"])
    machine.succeed("podctl deprovision alice && podctl provision carl --tier attacksocket", timeout=120)
    second = provision(machine, "alice", "attacksocket")
    expect((first.pod, second.pod), ("pod-001", "pod-002"))
    second.run("open('users/alice/docs/old', 'w').write('secret of pod-002'); answer(0)")
    first.run("open('users/mate/go', 'w').close(); answer(0)")
    found = "/var/lib/podctl/pods/pod-001/users/mate/found"
    wait_until(lambda: machine.run(f"test -e {found}").status == 0, 60, what="what the former pod found")
    seen = json.loads(machine.get(found))
    expect((seen["read"], seen["stolen"], sorted(seen["users"])), ("old", "old", ["carl", "mate"]))
    expect(second.run("answer([os.listdir('users/alice'), os.listdir('users/alice/docs'), "
                      "os.stat('users/alice/docs').st_mode & 0o777])"), [["docs"], ["old"], 0o700])
    # mate's name for the file is still mate's.
    expect(machine.succeed("stat -c %u /var/lib/podctl/pods/pod-001/users/mate/stolen").strip(), "1900000001")

    # Trouble with one user's directory is this user's alone. A directory that merely exists is nobody's data.
    machine.succeed("mkdir /var/lib/podctl/kept/mate && echo x > /var/lib/podctl/kept/mate/file")
    machine.succeed("cd /var/lib/podctl/pods/pod-001/users && mv carl /root/carl && ln -s /etc carl")
    machine.succeed("podctl restart pod-001", timeout=120)
    assert first.alive(), "pod-001 serves mate"
    users = json.loads(machine.get("/run/podctl/pods/pod-001/users"))["users"]
    expect([user["user"] for user in users], ["mate"], "in the users file")
    assert "no directory that carl can have" in machine.succeed("podctl status carl")
    assert "carl: " in machine.succeed("podctl status pod-001")
    refused(machine, "podctl provision carl", 1, "users/carl", timeout=60)
    machine.succeed("cd /var/lib/podctl/pods/pod-001/users && rm carl && mv /root/carl . && podctl provision carl", timeout=60)
    users = json.loads(machine.get("/run/podctl/pods/pod-001/users"))["users"]
    expect([user["user"] for user in users], ["carl", "mate"])
    expect(machine.succeed("cat /var/lib/podctl/kept/mate/file"), "x\n")
    expect(machine.succeed("journalctl -o cat MESSAGE_ID=3aaff704669542b9904841d13fdc2c26 | wc -l").strip(), "1")


@case(once="12")
def a_launch_that_waits_writes_no_old_list_of_users(machine):
    machine.succeed("mv /usr/sbin/nft /usr/sbin/nft.real")
    machine.put("/usr/sbin/nft", "#!/bin/sh\ntest -e /run/slow && sleep 3\nexec /usr/sbin/nft.real \"$@\"\n", mode=0o755)
    pod = attackers(machine, "alice", tier="UsersPerPod=2", workload="IPAddressAllow=192.0.2.1")["alice"]
    provision(machine, "mate", "attacksocket")
    pod.run("open('users/alice/file', 'w').write('kept'); answer(0)")
    machine.succeed("touch /run/slow")
    restart = machine.start("podctl restart pod-001")
    wait_until(lambda: machine.run("pgrep -f nft.real || pgrep -x sleep").status == 0, 60, 0.1, what="the launch waits for nft")
    machine.succeed("podctl deprovision alice", timeout=120)
    expect(restart.wait(120).status, 0)
    machine.succeed("rm /run/slow")
    expect(machine.succeed("cat /var/lib/podctl/kept/alice/file"), "kept")
    expect(machine.succeed("ls /var/lib/podctl/pods/pod-001/users").split(), ["mate"])
    expect([user["user"] for user in json.loads(machine.get("/run/podctl/pods/pod-001/users"))["users"]], ["mate"])


def schema_of_the_first_version():
    """The tables of the first version, without the rows of the test that has them."""
    test = pathlib.Path(__file__).resolve().parents[2] / "PodStoreTests" / "MigrationTests.swift"
    text = test.read_text().split('#"""')[1].split('"""#')[0]
    return "\n".join(line for line in text.splitlines()
                     if not line.strip().startswith("INSERT") or "grdb_migrations" in line)


COLUMNS = {
    "host": "id, name, epoch",
    "pod": "number, host, tier, port, address, front_address, uid, generation, users, wanted, state_hold, restarts, "
           "last_exit_reason, created_at",
    "user": "name, pod, tier, token, status, epoch, kept_from, created_at, changed_at",
    "generation": "pod, generation, unit, boot_id, invocation_id, main_pid, main_start_ticks, begun_at, started_at, "
                  "ready_at, ended_at, reason, evidence",
}


@case()
def the_layout_of_an_earlier_version_is_migrated_at_a_pods_next_launch(machine):
    alice = podctl(machine, "provision alice", timeout=120)
    podctl(machine, "provision users", timeout=120)
    podctl(machine, "provision gone --tier pro", timeout=120)
    where = "/api/v2/{}?p=diary&c=1.1.1/1.1.1/1.1.1"
    secret = token(machine, "alice")
    expect(curl(machine, alice, where.format("insert") + "&s=dear", user_token=secret)[0], 200)
    pid = pods(machine)["pod-001"]["main_pid"]

    # As 0.1 left it: its directories, its database, a pod that was emptied, and a program that runs.
    machine.succeed("podctl deprovision gone && systemctl stop podd.service", timeout=60)
    copies = "".join(
        f"DELETE FROM {table}; INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table};\n"
        for table, columns in COLUMNS.items())
    triggers = "".join(f"DROP TRIGGER {name};" for name in ("user_placed", "user_removed", "user_moved"))
    schema = schema_of_the_first_version()
    kept = "CREATE TRIGGER" + schema.split("CREATE TRIGGER", 1)[1].split("CREATE INDEX generation_open")[0]
    machine.put("/root/old.sql", f"{schema}\nATTACH '/root/new.db' AS new;\n{triggers}\n{copies}\n{kept}\n")
    machine.succeed("""
        cd /var/lib/podctl && sqlite3 podctl.db 'PRAGMA wal_checkpoint(TRUNCATE)' > /dev/null && mv podctl.db /root/new.db
        rm -f podctl.db-wal podctl.db-shm && sqlite3 podctl.db < /root/old.sql && chmod 600 podctl.db
        cd pods/pod-001 && mv users .all && mv .all/* . && rmdir .all && sed -i s,/pod-001/users/,/pod-001/, /run/podctl/pods/pod-001/users
        install -d /var/lib/podctl/pods/pod-002 && echo secret > /var/lib/podctl/pods/pod-002/dump.rdb
    """)
    machine.succeed(f"kill -HUP {pid} && systemctl start podd.service", timeout=60)
    wait_until(lambda: machine.run("test -e /var/lib/podctl/kept/.programs/.unknown/pod-002-0/dump.rdb").status == 0,
               60, what="what an emptied pod had stored is put aside")

    # Nothing is disturbed while the program runs.
    expect(curl(machine, alice, where.format("select"), user_token=secret), (200, "dear"))
    podctl(machine, "provision bob", timeout=120)
    users = json.loads(machine.get("/run/podctl/pods/pod-001/users"))["users"]
    expect([user["directory"] for user in users],
           [f"/var/lib/podctl/pods/pod-001/{name}" for name in ("alice", "bob", "users")])
    expect(pods(machine)["pod-001"]["main_pid"], pid)

    machine.succeed("podctl restart pod-001", timeout=120)
    users = json.loads(machine.get("/run/podctl/pods/pod-001/users"))["users"]
    expect([user["directory"] for user in users],
           [f"/var/lib/podctl/pods/pod-001/users/{name}" for name in ("alice", "bob", "users")])
    expect(machine.succeed("cd /var/lib/podctl/pods && ls -A pod-001 .migrating").split(), [".migrating:", "pod-001:", "users"])
    expect(curl(machine, alice, where.format("select"), user_token=secret), (200, "dear"))
    expect(recorded(machine, "SELECT layout, users FROM pod ORDER BY number"),
           [{"layout": 2, "users": 3}, {"layout": 2, "users": 0}])
    agrees(machine)

"""The program's view of the host: files, mounts, identity, descriptors."""

import os
import socket
import tempfile
import unittest

from harness import UID, Journal, Launch, encode, outcome, output, own_cgroup, plan


def shell(script, **options):
    return output("/bin/sh", "-c", script, **options)


class TheFilesystem(unittest.TestCase):
    def test_the_root_has_only_the_names_in_the_plan(self):
        names = set(shell("ls -A /").split())
        self.assertEqual(names - {"bin", "sbin", "lib", "lib32", "lib64"},
                         {"usr", "etc", "dev", "proc", "sys", "tmp", "run"})

    def test_nothing_but_tmp_can_be_written(self):
        text = shell("for d in / /usr /etc /run /run/userdb /dev /proc /sys /sys/fs/cgroup /tmp; do"
                     " touch $d/x 2>/dev/null && echo $d; done; true")
        self.assertEqual(text, "/tmp\n")

    def test_every_mount_is_nosuid_and_nodev_but_dev(self):
        mounts = [line.split() for line in shell("cat /proc/self/mounts").splitlines()]
        points = [mount[1] for mount in mounts]
        self.assertEqual(points[0], "/")
        self.assertEqual(len(points), len(set(points)), points)
        for mount in mounts:
            options = mount[3].split(",")
            self.assertIn("nosuid", options, mount)
            if mount[1] != "/dev":
                self.assertIn("nodev", options, mount)
            if not mount[1].startswith("/usr"):
                self.assertIn("noexec", options, mount)
            if mount[1] not in ("/tmp", "/proc", "/dev/shm"):
                self.assertIn("ro", options, mount)

    def test_proc_hides_the_processes_of_others(self):
        text = shell("set -- /proc/[0-9]*; echo $#; ls -d /proc/1 2>&1 | tail -c 26")
        self.assertEqual(text, "1\nNo such file or directory\n")

    def test_dev_is_minimal(self):
        text = shell("ls /dev; echo to-null >/dev/null; head -c 4 /dev/urandom | wc -c;"
                     " dd if=/dev/zero of=/dev/full count=1 2>&1 | head -1;"
                     " readlink /dev/log /dev/fd; touch /dev/shm/x && stat -c %a /dev/shm /dev/null; true")
        self.assertEqual(text.split()[:11], "fd full log null random shm stderr stdin stdout urandom zero".split())
        self.assertIn("\n4\n", text)
        self.assertIn("No space left on device", text)
        self.assertTrue(text.endswith("/run/systemd/journal/dev-log\n/proc/self/fd\n1777\n666\n"), text)

    def test_the_cgroup_is_its_own_root(self):
        text = shell("grep ^0:: /proc/self/cgroup; ls /sys/fs/cgroup | grep -c cgroup.procs")
        self.assertEqual(text, "0::/\n1\n")

    def test_a_record_is_a_file_of_root(self):
        text = shell(f"cd /run/userdb && stat -c '%n %u %a' pod-001.user && cat {UID}.user")
        self.assertEqual(text, 'pod-001.user 0 644\n{"userName":"pod-001"}')

    def test_binds_follow_their_flags(self):
        with tempfile.TemporaryDirectory() as host:
            os.chmod(host, 0o777)
            with open(host + "/program", "w") as file:
                file.write("#!/bin/sh\necho ran\n")
            os.chmod(host + "/program", 0o755)
            text = shell(
                "for d in rw ro exec; do touch /b/$d/new-$d 2>/dev/null && echo $d writable;"
                " /b/$d/program 2>/dev/null && echo from $d; done; cat /one; ls /b; true",
                extra=[("bind", "rw", host, "/b/rw"), ("bind", "ro", host, "/b/ro"),
                       ("bind", "ro,exec", host, "/b/exec"), ("bind", "ro", host + "/program", "/one"),
                       ("bind", "ro,optional", "/no/such", "/b/absent")])
            self.assertEqual(text, "rw writable\nran\nfrom exec\n#!/bin/sh\necho ran\nexec\nro\nrw\n")
            self.assertTrue(os.path.exists(host + "/new-rw"))

    def test_a_link_that_a_pod_made_is_not_followed_to_a_source(self):
        with tempfile.TemporaryDirectory() as top:
            os.makedirs(f"{top}/real/inside")
            os.symlink("real", f"{top}/relative")
            os.symlink(f"{top}/relative", f"{top}/absolute")
            os.symlink("../absolute/inside", f"{top}/real/up")
            for source in "real/inside", "relative/inside", "absolute/inside", "real/up":
                extra = [("bind", "ro", f"{top}/{source}", "/x")]
                self.assertEqual(output("/bin/ls", "-d", "/x", extra=extra), "/x\n", source)
            for link in "relative", "real/up":
                os.lchown(f"{top}/{link}", UID + 7, UID + 7)
            for source in "relative/inside", "absolute/inside", "real/up":
                extra = [("bind", "ro,optional", f"{top}/{source}", "/x")]
                self.assertEqual(outcome(plan("/bin/true", extra=extra))[0], "mount ELOOP\n", source)

    def test_a_recursive_bind_is_read_only_all_the_way_down(self):
        with tempfile.TemporaryDirectory() as host:
            os.chmod(host, 0o755)
            os.mkdir(host + "/below")
            os.system(f"mount -t tmpfs -o mode=777 tmpfs {host}/below")
            try:
                for flags, seen in (("ro,recursive", "ro\n"), ("ro", "not mounted\n")):
                    text = shell("grep -q ' /b/below ' /proc/self/mounts || { echo not mounted; exit 0; };"
                                 " touch /b/below/x 2>/dev/null && echo rw || echo ro",
                                 extra=[("bind", flags, host, "/b")])
                    self.assertEqual(text, seen)
            finally:
                os.system(f"umount {host}/below")


    def test_what_the_host_unmounts_is_unmounted_here(self):
        with tempfile.TemporaryDirectory() as host:
            os.chmod(host, 0o755)
            os.mkdir(host + "/below")
            # A mount point that is shared, as systemd makes all of them.
            for command in (f"mount --bind {host} {host}", f"mount --make-shared {host}",
                            f"mount -t tmpfs -o mode=777 tmpfs {host}/below"):
                self.assertEqual(os.system(command), 0)
            try:
                with Journal():
                    launch = Launch().send(encode(plan(
                        "/bin/sleep", "1000", extra=[("bind", "ro,recursive", host, "/b")])))
                    self.assertEqual(launch.release().report(), "")
                    mounts = f"/proc/{launch.process.pid}/mountinfo"
                    with open(mounts) as before:
                        self.assertIn(" /b/below ", before.read())
                    self.assertEqual(os.system(f"umount {host}/below"), 0)
                    with open(mounts) as after:
                        self.assertNotIn(" /b/below ", after.read())
                    # And nothing of the pod's reaches the host.
                    with open("/proc/self/mountinfo") as own:
                        self.assertNotIn(" /b ", own.read())
                    launch.process.kill()
                    launch.process.wait()
            finally:
                os.system(f"umount -R {host}")


class TheProcess(unittest.TestCase):
    def test_it_has_no_privileges(self):
        status = dict(line.split(":\t", 1) for line in shell("cat /proc/self/status").splitlines())
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["Uid"], "\t".join([str(UID)] * 4))
        self.assertEqual(status["Gid"], "\t".join([str(UID)] * 4))
        self.assertEqual(status["Groups"].strip(), "")
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")

    def test_its_namespaces_are_its_own(self):
        for name in ("mnt", "ipc", "cgroup"):
            with self.subTest(name):
                self.assertNotEqual(shell(f"readlink /proc/self/ns/{name}").strip(),
                                    os.readlink(f"/proc/self/ns/{name}"))

    def test_signals_limits_and_umask_are_those_of_a_service(self):
        text = shell("grep -E '^Sig(Blk|Ign)' /proc/self/status; ulimit -n -H; ulimit -n -S; umask;"
                     " ulimit -c -S;"
                     " cat /proc/self/oom_score_adj; cut -d' ' -f5,6 /proc/$$/stat; echo $$")
        lines = text.split("\n")
        self.assertEqual(lines[:7], ["SigBlk:\t0000000000000000", "SigIgn:\t0000000000001000", "4096", "4096",
                                     "0022", "0", "0"])
        self.assertEqual(lines[7].split(), [lines[8], lines[8]])

    def test_the_environment_is_the_plans(self):
        text = output("/usr/bin/env")
        self.assertEqual(sorted(text.split()), ["PATH=/usr/bin:/bin", "POD=pod-001"])

    def test_it_starts_where_the_plan_says(self):
        self.assertEqual(output("/bin/pwd", extra=[("chdir", "/tmp")]), "/tmp\n")
        self.assertEqual(output("/bin/pwd"), "/\n")

    def test_listening_sockets_arrive_from_3_on(self):
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            script = ("import os, socket\n"
                      "print(os.environ['LISTEN_FDS'], os.environ['LISTEN_FDNAMES'],"
                      " os.environ['LISTEN_PID'] == str(os.getpid()))\n"
                      "print(*(socket.socket(fileno=fd).getsockname()[1] for fd in (3, 4)))\n"
                      "print(len(os.listdir('/proc/self/fd')) - 1)")
            text = output("/usr/bin/python3", "-c", script, extra=[("listen", "2", "one:two")],
                          listeners=[one, two])
            ports = f"{one.getsockname()[1]} {two.getsockname()[1]}"
            self.assertEqual(text, f"2 one:two True\n{ports}\n3\n")

    def test_no_other_descriptor_is_inherited(self):
        with open("/etc/hostname") as extra:
            text = output("/bin/ls", "/proc/self/fd", keep=[extra.fileno()])
        self.assertEqual(text.split(), ["0", "1", "2", "3"])  # 3 is what ls opened.

    def test_the_journal_needs_no_socket_in_the_view(self):
        self.assertEqual(shell("test -e /run/systemd && echo there || echo not there; pwd", without=["bind /run/systemd/journal"]),
                         "not there\n/\n")

    def test_a_program_outlives_its_journal(self):
        """As a service does: SIGPIPE is ignored (IgnoreSIGPIPE= of systemd.exec(5)), and write(2) says EPIPE."""
        script = "read wait < /b/fifo; echo lost; echo alive > /b/result"
        with tempfile.TemporaryDirectory() as host:
            os.chmod(host, 0o777)
            os.mkfifo(f"{host}/fifo")
            os.chmod(f"{host}/fifo", 0o666)
            with Journal() as journal:
                launch = Launch().send(encode(plan("/bin/sh", "-c", script, extra=[("bind", "rw", host, "/b")])))
                self.assertEqual(launch.release().report(), "")
                journal.socket.accept()[0].close()
                with open(f"{host}/fifo", "w") as go:
                    go.write("on\n")
                self.assertEqual(launch.wait(), 0)
            with open(f"{host}/result") as said:
                self.assertEqual(said.read(), "alive\n")

    def test_stdout_and_stderr_are_a_journal_stream(self):
        with Journal() as journal:
            script = "echo out; echo err >&2"
            launch = Launch().send(encode(plan("/bin/sh", "-c", script))).release()
            self.assertEqual(launch.report(), "")
            unit = os.path.basename(own_cgroup())
            self.assertEqual(journal.stream(), (["pod-001", unit, "6", "1", "0", "0", "0"], "out\nerr\n"))
            self.assertEqual(launch.wait(), 0)


if __name__ == "__main__":
    unittest.main()

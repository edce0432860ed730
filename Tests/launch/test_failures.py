"""Each failure is reported as `STAGE ERRNO-NAME` with status 254."""

import os
import signal
import socket
import struct
import tempfile
import unittest

from harness import Journal, Launch, encode, outcome, output, plan


def failure(text):
    return (text + "\n", 254)


class Failures(unittest.TestCase):
    def setUp(self):
        self.enterContext(Journal())

    def assertFails(self, operations, text, **options):
        self.assertEqual(outcome(operations, **options), failure(text))

    def test_a_missing_program(self):
        self.assertFails(plan("/usr/bin/no-such-program"), "exec ENOENT")

    def test_a_program_that_is_not_executable(self):
        self.assertFails(plan("/etc/passwd"), "exec EACCES")

    def test_a_program_of_no_known_format(self):
        with tempfile.TemporaryDirectory() as host:
            os.chmod(host, 0o755)
            with open(host + "/p", "wb") as file:
                file.write(b"\x00\x01\x02\x03")
            os.chmod(host + "/p", 0o755)
            self.assertFails(plan("/b/p", extra=[("bind", "ro,exec", host, "/b")]), "exec ENOEXEC")

    def test_the_wrong_cgroup(self):
        self.assertFails(plan("/bin/true", cgroup="/pods.slice/other.scope"), "cgroup ESRCH")

    def test_a_missing_source(self):
        self.assertFails(plan("/bin/true", extra=[("bind", "ro", "/no/such", "/x")]), "mount ENOENT")

    def test_an_unknown_tmpfs_option(self):
        self.assertFails(plan("/bin/true", extra=[("tmpfs", "/x", "755", "colour=blue")]), "mount EINVAL")

    def test_a_target_below_a_symbolic_link(self):
        self.assertFails(plan("/bin/true", extra=[("symlink", "/etc", "/x"), ("bind", "ro", "/etc", "/x/y")]),
                         "mount ENOTDIR")
        self.assertFails(plan("/bin/true", extra=[("symlink", "/etc", "/x"), ("bind", "ro", "/etc/passwd", "/x")]),
                         "mount ELOOP")

    def test_a_directory_that_the_pod_may_not_enter(self):
        self.assertFails(plan("/bin/true", extra=[("tmpfs", "/x", "700", "size=4k"), ("chdir", "/x")]),
                         "mount EACCES")

    def test_too_many_open_files_asked_for(self):
        self.assertFails(plan("/bin/true", extra=[("nofile", "4294967295")]), "privileges EPERM")

    def test_a_listening_socket_that_was_not_passed(self):
        self.assertFails(plan("/bin/true", extra=[("listen", "1", "x")]), "plan EBADF")


class Journald(unittest.TestCase):
    def test_no_journald(self):
        os.makedirs("/run/systemd/journal", exist_ok=True)
        self.assertEqual(outcome(plan("/bin/true")), failure("journal ENOENT"))

    def test_nobody_listens(self):
        with Journal() as journal:
            journal.socket.close()
            self.assertEqual(outcome(plan("/bin/true")), failure("journal ECONNREFUSED"))


class Plans(unittest.TestCase):
    def assertRefused(self, data, text="plan EINVAL"):
        launch = Launch().send(data)
        self.assertEqual((launch.report(), launch.wait()), failure(text))

    def test_malformed_plans(self):
        good = encode(plan("/bin/true"))
        self.assertRefused(struct.pack("<I", 0))
        self.assertRefused(struct.pack("<I", (1 << 20) + 1), "plan E2BIG")
        self.assertRefused(struct.pack("<I", 4) + b"abcd")
        self.assertRefused(struct.pack("<I", len(good) - 5) + good[4:-1])

    def test_operations_that_are_not_as_documented(self):
        os.makedirs("/run/systemd/journal", exist_ok=True)
        for extra in (("unknown", "x"), ("bind", "", "/a", "/a"), ("bind", "ro,", "/a", "/a"),
                      ("bind", "ro,rw", "/a", "/a"), ("bind", "ro", "a", "/a"), ("bind", "ro", "/a", "/"),
                      ("bind", "ro", "/a", "/a/../b"), ("bind", "ro", "/a", "/a//b"), ("bind", "ro", "/a", "/a/"),
                      ("tmpfs", "/x", "999", ""), ("tmpfs", "/x", "", ""), ("uid", "0"), ("uid", "4294967295"),
                      ("uid", "-1"), ("uid", "1x"), ("uid", "99999999999999999999"), ("listen", "0", "x"),
                      ("listen", "65", "x"), ("listen", "1", "x" * 1024), ("env", "NOVALUE"), ("env", "=x"), ("file", "1777", "/x", ""),
                      ("ident", ""), ("ident", "a\nb"), ("nofile", "0"), ("chdir", "tmp"), ("cgroup", "")):
            with self.subTest(extra):
                self.assertRefused(encode(plan("/bin/true", extra=[extra])))

    def test_missing_operations(self):
        for name in ("cgroup", "ident", "uid", "arg"):
            with self.subTest(name):
                self.assertRefused(encode(plan("/bin/true", without=[name])))
        self.assertRefused(encode(plan("true")))

    def test_too_much(self):
        self.assertRefused(encode(plan("/bin/true", *["x"] * 1024)), "plan E2BIG")
        self.assertRefused(encode(plan("/bin/true", extra=[("env", "A=1")] * 1023)), "plan E2BIG")

    def test_as_much_as_fits(self):
        names = [("env", f"A{i}=1") for i in range(1022)]
        with socket.create_server(("127.0.0.1", 0)) as one:
            text = output("/usr/bin/env", extra=[*names[:500], ("listen", "1", "x"), *names[500:]],
                          listeners=[one])
        self.assertEqual(len(text.splitlines()), 1022 + 2 + 3)


class Podd(unittest.TestCase):
    """podd may go away at any moment."""

    def test_gone_before_the_plan(self):
        self.assertEndsWhenHungUp(b"")

    def test_gone_in_the_middle_of_the_plan(self):
        self.assertEndsWhenHungUp(encode(plan("/bin/true"))[:100])

    def test_gone_before_the_release(self):
        os.makedirs("/run/systemd/journal", exist_ok=True)
        self.assertEndsWhenHungUp(encode(plan("/bin/true")))

    def assertEndsWhenHungUp(self, data):
        launch = Launch().send(data)
        self.assertEqual(launch.wait(), 254)

    def test_something_else_than_the_release(self):
        os.makedirs("/run/systemd/journal", exist_ok=True)
        launch = Launch().send(encode(plan("/bin/true"))).send(b"X")
        self.assertEqual((launch.report(), launch.wait()), failure("release EPROTO"))

    def test_gone_while_the_program_runs(self):
        with Journal() as journal:
            launch = Launch().send(encode(plan("/bin/cat", "/proc/self/comm"))).release()
            self.assertEqual(launch.report(), "")
            self.assertEqual((launch.wait(), journal.stream()[1]), (0, "cat\n"))

    def test_stopped_while_it_waits(self):
        os.makedirs("/run/systemd/journal", exist_ok=True)
        launch = Launch().send(encode(plan("/bin/true")))
        launch.process.terminate()
        self.assertEqual(launch.wait(), -signal.SIGTERM)


class Cgroups(unittest.TestCase):
    """pod-launch in its own cgroup, into which it is moved while it waits, as systemd does."""

    def setUp(self):
        with open("/proc/self/mounts") as mounts:
            points = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
        if not points:
            self.skipTest("no cgroup2 mounted")
        self.path = points[0] + "/pod-launch-test.scope"
        try:
            os.mkdir(self.path)
        except OSError as error:
            self.skipTest(f"cannot make {self.path}: {error}")
        self.addCleanup(os.rmdir, self.path)

    def test_the_cgroup_is_compared_after_the_release(self):
        with Journal() as journal:
            launch = Launch().send(encode(plan("/bin/grep", "0::", "/proc/self/cgroup",
                                               cgroup="/pod-launch-test.scope")))
            with open(self.path + "/cgroup.procs", "w") as procs:
                procs.write(str(launch.process.pid))
            launch.release()
            self.assertEqual(launch.report(), "")
            self.assertEqual(journal.stream()[1], "0::/\n")
            self.assertEqual(launch.wait(), 0)


if __name__ == "__main__":
    unittest.main()

"""Operations that are refused to the program in addition to those that its uid forbids."""

import unittest

from harness import output

# Prints the errno's name, or "ok".
PYTHON = """
import ctypes, errno, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    result = getattr(libc, name)(*arguments)
    print(name, "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()])
def family(name, kind=socket.SOCK_STREAM, protocol=0):
    try:
        socket.socket(getattr(socket, name), kind, protocol).close()
        print(name, "ok")
    except OSError as error:
        print(name, errno.errorcode[error.errno])
"""


def python(script):
    return output("/usr/bin/python3", "-c", PYTHON + script).splitlines()


class SystemCalls(unittest.TestCase):
    def test_no_user_namespace(self):
        self.assertEqual(
            python("call('unshare', 0x10000000)\n"
                   "call('syscall', 56 if os.uname().machine == 'x86_64' else 220, 0x10000011, 0, 0, 0, 0)\n"
                   "call('syscall', 435, 0, 0)"),
            ["unshare EPERM", "syscall EPERM", "syscall ENOSYS"])

    def test_threads_and_children_still_work(self):
        self.assertEqual(
            python("import threading, subprocess\n"
                   "thread = threading.Thread(target=print, args=('thread',)); thread.start(); thread.join()\n"
                   "print(subprocess.run(['/bin/echo', 'child'], capture_output=True).stdout)"),
            ["thread", "b'child\\n'"])

    def test_socket_families(self):
        self.assertEqual(
            python("for name in 'AF_UNIX AF_INET AF_INET6 AF_VSOCK AF_PACKET AF_BLUETOOTH'.split(): family(name)\n"
                   "family('AF_NETLINK', socket.SOCK_RAW, 0)\nfamily('AF_NETLINK', socket.SOCK_RAW, 16)"),
            ["AF_UNIX ok", "AF_INET ok", "AF_INET6 ok", "AF_VSOCK EAFNOSUPPORT", "AF_PACKET EAFNOSUPPORT",
             "AF_BLUETOOTH EAFNOSUPPORT", "AF_NETLINK ok", "AF_NETLINK EAFNOSUPPORT"])

    def test_no_close_of_a_socket_waits(self):
        self.assertEqual(
            python("import struct\n"
                   "one = socket.socket()\n"
                   "one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 3600))\n"
                   "one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)\n"
                   "print(struct.unpack('ii', one.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))[0],"
                   " one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))"),
            ["0 1"])

    def test_protocols(self):
        # With every type under which the kernel would take them: SCTP, DCCP, UDP-Lite, MPTCP, L2TP, SMC.
        others = [(1, 132), (5, 132), (5, 0), (6, 33), (6, 0), (2, 136), (1, 262), (2, 115), (1, 256), (10, 0)]
        self.assertEqual(
            python("for name in 'AF_INET', 'AF_INET6':\n"
                   "  for kind, protocol in (1, 0), (1 | socket.SOCK_CLOEXEC, 6), (2 | socket.SOCK_NONBLOCK, 17), (2, 0):\n"
                   "    family(name, kind, protocol)\n"
                   f"  for kind, protocol in {others}: family(name, kind, protocol)\n"
                   "family('AF_UNIX', 5)\nfamily('AF_INET', 3, 1)"),
            [line for name in ("AF_INET", "AF_INET6")
             for line in [f"{name} ok"] * 4 + [f"{name} EPROTONOSUPPORT"] * len(others)]
            + ["AF_UNIX ok", "AF_INET EPERM"])

    def test_names_resolve(self):
        self.assertEqual(python("print(socket.getaddrinfo('127.0.0.1', 80, type=socket.SOCK_STREAM)[0][4])"),
                         ["('127.0.0.1', 80)"])

    def test_keys_bpf_perf_io_uring_and_mounts(self):
        self.assertEqual(
            python("x86 = os.uname().machine == 'x86_64'\n"
                   "for number in (250 if x86 else 219, 321 if x86 else 280, 298 if x86 else 241,"
                   " 425, 165 if x86 else 40, 430):\n"
                   "  call('syscall', number, 0, 0, 0, 0, 0)"),
            ["syscall EPERM"] * 3 + ["syscall ENOSYS"] + ["syscall EPERM"] * 2)

    def test_a_setuid_program_gains_nothing(self):
        self.assertEqual(python("print(os.geteuid() == os.getuid())\ncall('setuid', 0)"),
                         ["True", "setuid EPERM"])


if __name__ == "__main__":
    unittest.main()

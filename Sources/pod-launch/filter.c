#include "filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined __x86_64__
#define NATIVE_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "name this architecture's AUDIT_ARCH_ constant here"
#endif

#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
/* The low word: every argument looked at here is an int or has its flags in the low 32 bits. */
#define ARGUMENT(n) \
  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + (n) * sizeof(__u64))
#define SKIP_UNLESS_EQUAL(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define SKIP_IF_EQUAL(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skip, 0)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define DENY(call, error) SKIP_UNLESS_EQUAL(SYS_##call, 1), REFUSE(error)
/* unshare(2) and clone(2) take their flags first on both architectures. */
#define DENY_USER_NAMESPACE(call) \
  SKIP_UNLESS_EQUAL(SYS_##call, 4), ARGUMENT(0), \
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER, 0, 1), REFUSE(EPERM), ALLOW
/* IPAddressDeny= and nftables see IP only: vsock, Bluetooth, TIPC and the rest would bypass them.
 * NETLINK_ROUTE is the only netlink family allowed: getaddrinfo(3) reads the host's addresses from it.
 * The protocols of IP that every program may need are allowed: the others (SCTP, DCCP, UDP-Lite, MPTCP, L2TP,
 * SMC) are rarely used kernel code, whose modules a socket(2) loads. Protocol 0 chooses by type, so types are
 * restricted too (SOCK_SEQPACKET would be SCTP). The kernel itself refuses SOCK_RAW to a pod. */
#define SOCKET_TYPE_MASK 0xf /* of the kernel; above it are SOCK_CLOEXEC and SOCK_NONBLOCK. */
#define DENY_FAMILIES(call) \
  SKIP_UNLESS_EQUAL(SYS_##call, 21), ARGUMENT(0), SKIP_IF_EQUAL(AF_UNIX, 18), SKIP_IF_EQUAL(AF_INET, 5), \
    SKIP_IF_EQUAL(AF_INET6, 4), SKIP_UNLESS_EQUAL(AF_NETLINK, 2), ARGUMENT(2), \
    SKIP_IF_EQUAL(NETLINK_ROUTE, 13), REFUSE(EAFNOSUPPORT), \
    ARGUMENT(1), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SOCKET_TYPE_MASK), SKIP_IF_EQUAL(SOCK_STREAM, 2), \
    SKIP_IF_EQUAL(SOCK_DGRAM, 1), SKIP_UNLESS_EQUAL(SOCK_RAW, 6), ARGUMENT(2), SKIP_IF_EQUAL(0, 5), \
    SKIP_IF_EQUAL(IPPROTO_TCP, 4), SKIP_IF_EQUAL(IPPROTO_UDP, 3), SKIP_IF_EQUAL(IPPROTO_ICMP, 2), \
    SKIP_IF_EQUAL(IPPROTO_ICMPV6, 1), REFUSE(EPROTONOSUPPORT), ALLOW

/* The last close of a socket with SO_LINGER waits for its peer, and whoever is sent the descriptor may be the one who
 * closes it: podd, journald. The call succeeds and does nothing, as programs do not expect it to fail. */
#define IGNORE_LINGER \
  SKIP_UNLESS_EQUAL(SYS_setsockopt, 6), ARGUMENT(1), SKIP_UNLESS_EQUAL(SOL_SOCKET, 3), ARGUMENT(2), \
    SKIP_UNLESS_EQUAL(SO_LINGER, 1), REFUSE(0), ALLOW

void install_filter(void) {
  static struct sock_filter code[] = {
    FIELD(arch),
    SKIP_IF_EQUAL(NATIVE_ARCHITECTURE, 1),
    /* 32-bit calls have other numbers, to which the rules below would not apply. */
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    FIELD(nr),
#if defined __x86_64__
    /* x32: the same calls under other numbers. */
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
    REFUSE(ENOSYS),
#endif
    DENY_FAMILIES(socket),
    DENY_FAMILIES(socketpair),
    IGNORE_LINGER,
    /* A user namespace would give capabilities, and with them access to rarely used kernel code. */
    DENY_USER_NAMESPACE(clone),
    DENY_USER_NAMESPACE(unshare),
    /* Its flags are in memory, where a filter cannot read them; glibc falls back to clone(2). */
    DENY(clone3, ENOSYS),
    /* Opens sockets and files that no filter sees; its users fall back to epoll. */
    DENY(io_uring_setup, ENOSYS),
    DENY(setns, EPERM),
    DENY(keyctl, EPERM),
    DENY(add_key, EPERM),
    DENY(request_key, EPERM),
    DENY(userfaultfd, EPERM),
    DENY(bpf, EPERM),
    DENY(perf_event_open, EPERM),
    DENY(mount, EPERM),
    DENY(umount2, EPERM),
    DENY(pivot_root, EPERM),
    DENY(open_tree, EPERM),
    DENY(move_mount, EPERM),
    DENY(fsopen, EPERM),
    DENY(fsmount, EPERM),
    DENY(fspick, EPERM),
    DENY(mount_setattr, EPERM),
    ALLOW,
  };
  const struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};

  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
    fail(STAGE_PRIVILEGES, errno);
}

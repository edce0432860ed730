#include "privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { KERNEL_SIGNALS = 64 };

void reset_signals(void) {
  /* The kernel's struct sigaction with SIG_DFL. Not sigaction(3): it refuses 32 and 33, glibc's own, which its
   * posix_spawn(3), by which podd starts us, leaves ignored in the child. */
  static const unsigned long by_default[4];
  sigset_t none;

  /* KILL and STOP refuse, and are as they should be. */
  for (int number = 1; number <= KERNEL_SIGNALS; number++)
    syscall(SYS_rt_sigaction, number, by_default, NULL, KERNEL_SIGNALS / 8);
  /* As a service has it (systemd.exec(5), IgnoreSIGPIPE=): a program that writes to its log while journald is
   * away gets EPIPE, and is not killed. */
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void must(long result) {
  if (result < 0)
    fail(STAGE_PRIVILEGES, errno);
}

/* Needs CAP_SETPCAP, so it comes before the uid. */
static void close_the_way_back(void) {
  for (unsigned long capability = 0;; capability++) {
    int present = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (present < 0)
      break; /* EINVAL: the kernel knows no further one. */
    if (present)
      must(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));
  }
  /* KEEP_CAPS stays off and is locked: leaving uid 0 must clear the sets. */
  must(prctl(PR_SET_SECUREBITS,
             SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED
               | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
             0, 0, 0));
  must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
}

void drop_privileges(uid_t uid) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  const struct __user_cap_data_struct nothing[_LINUX_CAPABILITY_U32S_3] = {{0}};

  close_the_way_back();
  if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
    fail(STAGE_USER, errno);
  /* Inheritable is the one set that the change of uid leaves. */
  must(syscall(SYS_capset, &header, nothing));
  /* By the pod's uid, so that it counts against that user's quota of keys. */
  must(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL));
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

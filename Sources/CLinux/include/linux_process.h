/* Processes: pidfd (Linux 5.3, 5.6), waiting, spawning. */
#pragma once

int linux_pidfd_open(int pid, unsigned flags);
int linux_pidfd_getfd(int pidfd, int target, unsigned flags);
int linux_pidfd_send_signal(int pidfd, int signal);

/* waitid(P_PID, pid, WEXITED|WNOHANG) without siginfo's unions: 0, or -errno. *code is 0 while the child still runs,
 * else CLD_EXITED, CLD_KILLED or CLD_DUMPED; *status is the exit status or the signal. */
int linux_wait_child(int pid, int *code, int *status);

/* posix_spawnp(3) with exactly these descriptors (fds[i] becomes i; -1 is closed), no blocked signals and SIGPIPE's
 * default; other signals that the caller ignores stay ignored. A source that is below `count` must be its own target.
 * `envp` NULL passes on the caller's environment. Returns 0 or an errno. */
int linux_spawn(
        int *pid, const char *program, char *const argv[], char *const envp[], const int fds[], int count,
        int new_session);

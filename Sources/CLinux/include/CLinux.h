/* System calls and constants that glibc 2.36 or Swift's importer do not offer. Append by section.
 *
 * Declarations only, and no header that depends on _GNU_SOURCE: Swift imports this beside its own Glibc
 * module, and the two must agree on every struct (fd_set, for one, differs). The bodies are in CLinux.c. */
#pragma once
#include <stdint.h>
#include <sys/types.h>

/* --- names of errors and signals (glibc 2.32); NULL when unknown --- */
const char *linux_errno_name(int error);
const char *linux_signal_abbreviation(int number);

/* --- pidfd (Linux 5.3, 5.6) --- */
int linux_pidfd_open(pid_t pid, unsigned flags);
int linux_pidfd_getfd(int pidfd, int target, unsigned flags);
int linux_pidfd_send_signal(int pidfd, int signal);
pid_t linux_gettid(void);

/* waitid(P_PID, pid, WEXITED|WNOHANG) without siginfo's unions: 0, or -errno. *code is 0 when the child
 * still runs, else CLD_EXITED, CLD_KILLED or CLD_DUMPED; *status is the exit status or the signal. */
int linux_wait_child(pid_t pid, int *code, int *status);

/* --- open(2) and openat(2): variadic in C, so not imported --- */
int linux_open(const char *path, int flags, mode_t mode);
int linux_openat(int directory, const char *path, int flags, mode_t mode);

/* --- eventfd, inotify, epoll constants --- */
int linux_eventfd(void);

/* --- spawn: posix_spawn with exactly these descriptors (fds[i] becomes i; -1 is closed), a new session,
 *     no blocked signals and default handlers. Returns 0 or an errno. --- */
int linux_spawn(pid_t *pid, const char *path, char *const argv[], char *const envp[], const int fds[], int count);

/* --- sockets: one datagram with its sender's credentials; -errno, or the number of bytes --- */
ssize_t linux_receive_with_credentials(int fd, void *buffer, size_t size, pid_t *pid, uid_t *uid);

#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int linux_pidfd_open(pid_t pid, unsigned flags) {
        return (int) syscall(SYS_pidfd_open, pid, flags);
}

int linux_pidfd_getfd(int pidfd, int target, unsigned flags) {
        return (int) syscall(SYS_pidfd_getfd, pidfd, target, flags);
}

int linux_pidfd_send_signal(int pidfd, int signal) {
        return (int) syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int linux_wait_child(pid_t pid, int *code, int *status) {
        siginfo_t info = { 0 };
        *code = 0;
        *status = 0;
        if (waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG) < 0)
                return -errno;
        if (info.si_pid != 0) {
                *code = info.si_code;
                *status = info.si_status;
        }
        return 0;
}

int linux_spawn(
        pid_t *pid, const char *program, char *const argv[], char *const envp[], const int fds[], int count,
        int new_session) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none, by_default;
        int error;

        error = posix_spawn_file_actions_init(&actions);
        if (error != 0)
                return error;
        error = posix_spawnattr_init(&attributes);
        if (error != 0) {
                posix_spawn_file_actions_destroy(&actions);
                return error;
        }
        sigemptyset(&none);
        /* podd ignores no other signal; execve(2) resets signals with a handler to their default. */
        sigemptyset(&by_default);
        sigaddset(&by_default, SIGPIPE);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &by_default);
        error = posix_spawnattr_setflags(
                &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (new_session ? POSIX_SPAWN_SETSID : 0));
        /* The sources must lie above the targets, because one dup2 would overwrite the source of another. */
        for (int i = 0; error == 0 && i < count; i++)
                if (fds[i] >= 0)
                        /* Onto itself, dup2 makes the descriptor survive execve(2) (glibc 2.29). */
                        error = fds[i] < count && fds[i] != i
                                ? EINVAL
                                : posix_spawn_file_actions_adddup2(&actions, fds[i], i);
                else
                        error = posix_spawn_file_actions_addclose(&actions, i);
        if (error == 0)
                error = posix_spawn_file_actions_addclosefrom_np(&actions, count);
        if (error == 0)
                error = posix_spawnp(pid, program, &actions, &attributes, argv, envp ? envp : environ);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        return error;
}

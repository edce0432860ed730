#define _GNU_SOURCE 1
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <malloc.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *linux_errno_name(int error) {
        return strerrorname_np(error);
}

const char *linux_signal_abbreviation(int number) {
        return sigabbrev_np(number);
}

int linux_pidfd_open(pid_t pid, unsigned flags) {
        return (int) syscall(SYS_pidfd_open, pid, flags);
}

int linux_pidfd_getfd(int pidfd, int target, unsigned flags) {
        return (int) syscall(SYS_pidfd_getfd, pidfd, target, flags);
}

int linux_pidfd_send_signal(int pidfd, int signal) {
        return (int) syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

pid_t linux_gettid(void) {
        return (pid_t) syscall(SYS_gettid);
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

int linux_open(const char *path, int flags, mode_t mode) {
        return open(path, flags, mode);
}

int linux_openat(int directory, const char *path, int flags, mode_t mode) {
        return openat(directory, path, flags, mode);
}

int linux_openat_without_sys_resource(int directory, const char *path, int flags) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct before[_LINUX_CAPABILITY_U32S_3], without[_LINUX_CAPABILITY_U32S_3];
        if (syscall(SYS_capget, &header, before) < 0)
                return -errno;
        memcpy(without, before, sizeof(without));
        without[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective &= ~CAP_TO_MASK(CAP_SYS_RESOURCE);
        if (syscall(SYS_capset, &header, without) < 0)
                return -errno;
        int file = openat(directory, path, flags);
        int result = file < 0 ? -errno : file;
        /* What was in force a moment ago is within the permitted set: this does not fail. */
        if (syscall(SYS_capset, &header, before) < 0 && file >= 0) {
                result = -errno;
                close(file);
        }
        return result;
}

static uint64_t microseconds(clockid_t clock) {
        struct timespec now;
        clock_gettime(clock, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

uint64_t linux_realtime(void) {
        return microseconds(CLOCK_REALTIME);
}

uint64_t linux_monotonic(void) {
        return microseconds(CLOCK_MONOTONIC);
}

int linux_stamp(const char *path, struct linux_file_stamp *stamp) {
        struct stat status;
        if (stat(path, &status) < 0)
                return -errno;
        *stamp = (struct linux_file_stamp) {
                .device = status.st_dev,
                .inode = status.st_ino,
                .size = status.st_size,
                .changed_seconds = status.st_ctim.tv_sec,
                .changed_nanoseconds = status.st_ctim.tv_nsec,
        };
        return 0;
}

int linux_eventfd(void) {
        return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int linux_spawn(pid_t *pid, const char *path, char *const argv[], char *const envp[], const int fds[], int count) {
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
        /* The only one that podd ignores; what has a handler gets its default by execve(2). */
        sigemptyset(&by_default);
        sigaddset(&by_default, SIGPIPE);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &by_default);
        error = posix_spawnattr_setflags(
                &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
        /* The sources must lie above the targets, or one dup2 would overwrite the source of the next. */
        for (int i = 0; error == 0 && i < count; i++)
                if (fds[i] >= 0)
                        error = fds[i] < count ? EINVAL : posix_spawn_file_actions_adddup2(&actions, fds[i], i);
                else
                        error = posix_spawn_file_actions_addclose(&actions, i);
        if (error == 0)
                error = posix_spawn_file_actions_addclosefrom_np(&actions, count);
        if (error == 0)
                error = posix_spawn(pid, path, &actions, &attributes, argv, envp);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        return error;
}

ssize_t linux_receive_with_credentials(int fd, void *buffer, size_t size, pid_t *pid, uid_t *uid) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 16)];
        } control;
        struct iovec part = { .iov_base = buffer, .iov_len = size };
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof control,
        };
        *pid = 0;
        *uid = (uid_t) -1;
        ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (got < 0)
                return -errno;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
                if (c->cmsg_level != SOL_SOCKET)
                        continue;
                if (c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
                        struct ucred who;
                        memcpy(&who, CMSG_DATA(c), sizeof who);
                        *pid = who.pid;
                        *uid = who.uid;
                } else if (c->cmsg_type == SCM_RIGHTS) {
                        /* Nobody was asked for descriptors: a sender must not fill our table. */
                        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                        for (size_t i = 0; i < n; i++) {
                                int extra;
                                memcpy(&extra, CMSG_DATA(c) + i * sizeof(int), sizeof extra);
                                close(extra);
                        }
                }
        }
        return got;
}

int linux_nftables_events(void) {
        const struct sockaddr_nl any = { .nl_family = AF_NETLINK };
        int group = NFNLGRP_NFTABLES;
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
        if (fd < 0)
                return -errno;
        /* Bound, so that it has a number: without one the kernel takes it for the sender of every change. */
        if (bind(fd, (const struct sockaddr *) &any, sizeof any) < 0
            || setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
                int error = errno;
                close(fd);
                return -error;
        }
        return fd;
}

int linux_accept_only_from(int fd, uint32_t source) {
        /* Word at offset 12 of the network header: the source address (socket filters, Linux
         * Documentation/networking/filter.rst). IPv4 only: these sockets are AF_INET. */
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t) (SKF_NET_OFF + 12)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(source), 0, 1),
                BPF_STMT(BPF_RET | BPF_K, 0xffffffffU),
                BPF_STMT(BPF_RET | BPF_K, 0),
        };
        struct sock_fprog program = { .len = sizeof code / sizeof code[0], .filter = code };
        int one = 1;
        if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one) < 0)
                return -errno;
        return 0;
}

void linux_trim_heap(void) {
        malloc_trim(0);
}

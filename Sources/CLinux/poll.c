#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

int linux_poll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int linux_poll_watch(int set, int fd, int interest, int known) {
        struct epoll_event event = {.data.fd = fd};
        if (interest & LINUX_READABLE) event.events |= EPOLLIN | EPOLLRDHUP;
        if (interest & LINUX_WRITABLE) event.events |= EPOLLOUT;
        int operation = interest == 0 ? EPOLL_CTL_DEL : known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        return epoll_ctl(set, operation, fd, &event);
}

int linux_poll_wait(int set, int *fds, int capacity, int timeout_ms) {
        struct epoll_event events[64];
        if (capacity > 64) capacity = 64;
        int count = epoll_wait(set, events, capacity, timeout_ms);
        if (count < 0) return errno == EINTR ? 0 : -1;
        for (int i = 0; i < count; i++) fds[i] = events[i].data.fd;
        return count;
}

int linux_signal_descriptor(const int *signals, int count) {
        sigset_t set;
        sigemptyset(&set);
        for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -1;
        return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int linux_signal_next(int fd) {
        struct signalfd_siginfo info;
        ssize_t size = read(fd, &info, sizeof info);
        return size == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

void linux_signal_ignore(int number) { signal(number, SIG_IGN); }

int linux_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }

ssize_t linux_fgetxattr(int fd, const char *name, void *value, size_t size) {
        ssize_t got = fgetxattr(fd, name, value, size);
        return got < 0 ? -errno : got;
}

int linux_is_listener(int fd) {
        int type = 0, listening = 0;
        socklen_t size = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM) return 0;
        size = sizeof listening;
        return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

int linux_open_beneath(int directory, const char *name, int flags, mode_t mode) {
        flags |= O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
        struct open_how how = {
                        .flags = (uint64_t)flags,
                        .mode = flags & O_CREAT ? mode : 0,
                        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH,
        };
        int fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
        /* A seccomp filter answers EPERM where it does not know the call. */
        if (fd < 0 && (errno == ENOSYS || errno == EPERM)) fd = openat(directory, name, flags, mode);
        return fd;
}

int linux_open_unnamed(int directory) {
        int fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EOPNOTSUPP) return fd;
        /* Some file systems have no O_TMPFILE (NFS, FUSE): a name that is gone at once. */
        char name[32];
        snprintf(name, sizeof name, ".upload-%d.tmp", (int)getpid());
        unlinkat(directory, name, 0);
        fd = openat(directory, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0) unlinkat(directory, name, 0);
        return fd;
}

ssize_t linux_send_file(int socket, int fd, uint64_t offset, size_t count) {
        off_t from = (off_t)offset;
        return sendfile(socket, fd, &from, count);
}

int linux_notify(const char *path, const void *message, size_t size) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        size_t length = strlen(path);
        if (length < 2 || length >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) {
                errno = EINVAL;
                return -1;
        }
        memcpy(address.sun_path, path, length);
        if (path[0] == '@') address.sun_path[0] = '\0';
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0) return -1;
        /* An abstract name ends with the address, a path with a NUL that the length may leave out. */
        socklen_t used = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
        ssize_t sent = sendto(fd, message, size, MSG_NOSIGNAL, (struct sockaddr *)&address, used);
        int saved = errno;
        close(fd);
        errno = saved;
        return sent == (ssize_t)size ? 0 : -1;
}

#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int linux_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }

int linux_is_listener(int fd) {
        int type = 0, listening = 0;
        socklen_t size = sizeof type;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM) return 0;
        size = sizeof listening;
        return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
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
                        /* No descriptors are expected, and a sender must not fill this process's table. */
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

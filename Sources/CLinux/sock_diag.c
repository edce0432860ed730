#define _GNU_SOURCE
#include "sock_diag.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

int sock_diag_open(void) {
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        return fd < 0 ? -errno : fd;
}

int sock_diag_send(int fd, const void *request, size_t size) {
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        if (sendto(fd, request, size, 0, (const struct sockaddr *) &kernel, sizeof kernel) < 0)
                return -errno;
        return 0;
}

/* The kernel creates its reply, or each part of it while the previous one is read, so nothing has to wait. */
static ssize_t receive(int fd, char *buffer, size_t size) {
        for (;;) {
                struct sockaddr_nl sender = { 0 };
                struct iovec part = { .iov_base = buffer, .iov_len = size };
                struct msghdr datagram = {
                        .msg_name = &sender,
                        .msg_namelen = sizeof sender,
                        .msg_iov = &part,
                        .msg_iovlen = 1,
                };
                ssize_t got = recvmsg(fd, &datagram, MSG_DONTWAIT);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                if (datagram.msg_flags & MSG_TRUNC)
                        return -EMSGSIZE;
                if (sender.nl_pid == 0)
                        return got;
        }
}

static int error_of(const struct nlmsghdr *message) {
        struct nlmsgerr error = { .error = -EPROTO };
        if (message->nlmsg_len >= NLMSG_LENGTH(sizeof error))
                memcpy(&error, NLMSG_DATA(message), sizeof error);
        return error.error;
}

int sock_diag_dump(
        int fd, int (*each)(void *context, const struct nlmsghdr *message, const struct inet_diag_msg *socket),
        void *context) {
        /* The largest part that the kernel makes. */
        _Alignas(struct nlmsghdr) char buffer[32768];
        for (;;) {
                /* Signed, as the padding of the last message may take it below zero. */
                ssize_t left = receive(fd, buffer, sizeof buffer);
                if (left < 0)
                        return (int) left;
                for (const struct nlmsghdr *m = (const struct nlmsghdr *) buffer;
                     left >= (ssize_t) sizeof *m && m->nlmsg_len >= sizeof *m && (ssize_t) m->nlmsg_len <= left;
                     m = NLMSG_NEXT(m, left)) {
                        struct inet_diag_msg socket;
                        if (m->nlmsg_type == NLMSG_DONE)
                                return 0;
                        if (m->nlmsg_type == NLMSG_ERROR)
                                return error_of(m);
                        if (m->nlmsg_type != SOCK_DIAG_BY_FAMILY || m->nlmsg_len < NLMSG_LENGTH(sizeof socket))
                                return -EPROTO;
                        memcpy(&socket, NLMSG_DATA(m), sizeof socket);
                        int result = each(context, m, &socket);
                        if (result < 0)
                                return result;
                }
        }
}

int sock_diag_acknowledgement(int fd) {
        _Alignas(struct nlmsghdr) char buffer[1024];
        ssize_t got = receive(fd, buffer, sizeof buffer);
        if (got < 0)
                return (int) got;
        const struct nlmsghdr *message = (const struct nlmsghdr *) buffer;
        if (got < (ssize_t) sizeof *message || message->nlmsg_type != NLMSG_ERROR)
                return -EPROTO;
        return error_of(message);
}

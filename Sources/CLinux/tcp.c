#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* In FIN_WAIT, CLOSING, LAST_ACK and TIME_WAIT the server has closed: the kernel delivers the rest without it. */
/* tcp(7)'s states; <netinet/tcp.h> has their names, but not the whole of struct tcp_info. */
enum { ESTABLISHED = 1, SYN_RECV = 3, TIME_WAIT = 6, CLOSE_WAIT = 8 };
#define OPEN_STATES (1U << ESTABLISHED | 1U << SYN_RECV | 1U << CLOSE_WAIT)
/* TCP_TIMEWAIT_LEN, milliseconds. */
#define TIME_WAIT_LENGTH 60000

/* Which sockets are requested: the server's end of a connection, or the client's. */
struct wanted {
        uint32_t states;
        uint32_t address;
        uint16_t port;
        uint8_t prefix_length;
        bool by_client;
};

/* The filter's language is in linux/inet_diag.h. A jump to the end of the filter accepts, a jump beyond it rejects. An
 * IPv4 condition also matches a mapped address. */
struct condition {
        struct inet_diag_bc_op operation;
        /* struct inet_diag_hostcond, whose array at the end has no place in another struct. */
        uint8_t family, prefix_length;
        uint16_t unused;
        int32_t port;
        uint32_t address;
};

struct request {
        struct nlmsghdr header;
        struct inet_diag_req_v2 about;
        struct rtattr attribute;
        struct condition condition;
};

_Static_assert(sizeof(struct condition) == sizeof(struct inet_diag_bc_op) + sizeof(struct inet_diag_hostcond) + 4,
               "struct inet_diag_hostcond");
_Static_assert(offsetof(struct request, condition) == sizeof(struct request) - sizeof(struct condition),
               "a request without holes");

static int ask(int fd, uint8_t family, const struct wanted *wanted) {
        const struct request request = {
                .header = {
                        .nlmsg_len = sizeof request,
                        .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                },
                .about = {
                        .sdiag_family = family,
                        .sdiag_protocol = IPPROTO_TCP,
                        .idiag_ext = 1U << (INET_DIAG_INFO - 1),
                        .idiag_states = wanted->states,
                        .id.idiag_sport = wanted->by_client ? 0 : htons(wanted->port),
                        .id.idiag_dport = wanted->by_client ? htons(wanted->port) : 0,
                },
                .attribute = {
                        .rta_len = RTA_LENGTH(sizeof(struct condition)),
                        .rta_type = INET_DIAG_REQ_BYTECODE,
                },
                .condition = {
                        .operation = {
                                .code = wanted->by_client ? INET_DIAG_BC_D_COND : INET_DIAG_BC_S_COND,
                                .yes = sizeof(struct condition),
                                .no = sizeof(struct condition) + 4,
                        },
                        .family = AF_INET,
                        .prefix_length = wanted->prefix_length,
                        .port = -1,
                        .address = wanted->address,
                },
        };
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        if (sendto(fd, &request, sizeof request, 0, (const struct sockaddr *) &kernel, sizeof kernel) < 0)
                return -errno;
        return 0;
}

/* Bytes that the client has received: tcp(7), struct tcp_info. A connection that nobody has accepted may lack it. */
static uint64_t delivered(const struct nlmsghdr *message) {
        const char *at = (const char *) NLMSG_DATA(message) + NLMSG_ALIGN(sizeof(struct inet_diag_msg));
        int left = (int) message->nlmsg_len - (int) NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct inet_diag_msg)));
        for (const struct rtattr *a = (const struct rtattr *) at; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
                struct tcp_info info = { 0 };
                size_t length = RTA_PAYLOAD(a);
                if (a->rta_type != INET_DIAG_INFO)
                        continue;
                memcpy(&info, RTA_DATA(a), length < sizeof info ? length : sizeof info);
                return info.tcpi_bytes_acked;
        }
        return 0;
}

/* The kernel creates each part of its reply while the previous one is read, so nothing has to wait. */
static int answer(
        int fd, const struct wanted *wanted, void (*found)(void *, const struct linux_tcp_connection *),
        void *context) {
        /* The largest part that it makes. */
        _Alignas(struct nlmsghdr) char buffer[32768];
        for (;;) {
                struct sockaddr_nl sender = { 0 };
                struct iovec part = { .iov_base = buffer, .iov_len = sizeof buffer };
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
                if (sender.nl_pid != 0)
                        continue;
                /* Signed, as the padding of the last message may take it below zero. */
                ssize_t left = got;
                for (struct nlmsghdr *m = (struct nlmsghdr *) buffer;
                     left >= (ssize_t) sizeof *m && m->nlmsg_len >= sizeof *m && (ssize_t) m->nlmsg_len <= left;
                     m = NLMSG_NEXT(m, left)) {
                        if (m->nlmsg_type == NLMSG_DONE)
                                return 0;
                        if (m->nlmsg_type == NLMSG_ERROR) {
                                struct nlmsgerr error = { .error = -EPROTO };
                                if (m->nlmsg_len >= NLMSG_LENGTH(sizeof error))
                                        memcpy(&error, NLMSG_DATA(m), sizeof error);
                                return error.error;
                        }
                        struct inet_diag_msg socket;
                        if (m->nlmsg_type != SOCK_DIAG_BY_FAMILY || m->nlmsg_len < NLMSG_LENGTH(sizeof socket))
                                return -EPROTO;
                        memcpy(&socket, NLMSG_DATA(m), sizeof socket);
                        uint16_t local = ntohs(socket.id.idiag_sport), remote = ntohs(socket.id.idiag_dport);
                        struct linux_tcp_connection connection = {
                                .inode = socket.idiag_inode,
                                .local_port = wanted->by_client ? remote : local,
                                .remote_port = wanted->by_client ? local : remote,
                                .delivered = delivered(m),
                        };
                        if (socket.idiag_state == TIME_WAIT && socket.idiag_expires < TIME_WAIT_LENGTH)
                                connection.ended_ago = TIME_WAIT_LENGTH - socket.idiag_expires;
                        found(context, &connection);
                }
        }
}

static int walk(
        const struct wanted *wanted, void (*found)(void *, const struct linux_tcp_connection *), void *context) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        int result = 0;
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (fd < 0)
                return -errno;
        for (size_t i = 0; result == 0 && i < sizeof families; i++) {
                result = ask(fd, families[i], wanted);
                if (result == 0)
                        result = answer(fd, wanted, found, context);
        }
        close(fd);
        return result;
}

int linux_tcp_connections(
        uint32_t address, uint8_t prefix_length, uint16_t port,
        void (*found)(void *, const struct linux_tcp_connection *), void *context) {
        const struct wanted wanted = {
                .states = OPEN_STATES, .address = address, .prefix_length = prefix_length, .port = port,
        };
        return walk(&wanted, found, context);
}

int linux_tcp_ended_connections(
        uint32_t address, uint8_t prefix_length, uint16_t port,
        void (*found)(void *, const struct linux_tcp_connection *), void *context) {
        struct wanted wanted = {
                .states = 1U << TIME_WAIT, .address = address, .prefix_length = prefix_length, .port = port,
        };
        int result = walk(&wanted, found, context);
        wanted.by_client = true;
        return result == 0 ? walk(&wanted, found, context) : result;
}

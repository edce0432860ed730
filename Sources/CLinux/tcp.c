#define _GNU_SOURCE
#include "CLinux.h"
#include "sock_diag.h"

#include <arpa/inet.h>
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
        return sock_diag_send(fd, &request, sizeof request);
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

struct search {
        const struct wanted *wanted;
        void (*found)(void *, const struct linux_tcp_connection *);
        void *context;
};

static int report(void *context, const struct nlmsghdr *message, const struct inet_diag_msg *socket) {
        const struct search *search = context;
        bool by_client = search->wanted->by_client;
        uint16_t local = ntohs(socket->id.idiag_sport), remote = ntohs(socket->id.idiag_dport);
        struct linux_tcp_connection connection = {
                .inode = socket->idiag_inode,
                .local_port = by_client ? remote : local,
                .remote_port = by_client ? local : remote,
                .delivered = delivered(message),
        };
        if (socket->idiag_state == TIME_WAIT && socket->idiag_expires < TIME_WAIT_LENGTH)
                connection.ended_ago = TIME_WAIT_LENGTH - socket->idiag_expires;
        search->found(search->context, &connection);
        return 0;
}

static int walk(
        const struct wanted *wanted, void (*found)(void *, const struct linux_tcp_connection *), void *context) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        struct search search = { .wanted = wanted, .found = found, .context = context };
        int result = 0;
        int fd = sock_diag_open();
        if (fd < 0)
                return fd;
        for (size_t i = 0; result == 0 && i < sizeof families; i++) {
                result = ask(fd, families[i], wanted);
                if (result == 0)
                        result = sock_diag_dump(fd, report, &search);
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

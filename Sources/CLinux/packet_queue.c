#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The longest IPv4 header and TCP's two ports. */
enum { COPIED = 64 };

/* The beginning of every message about a queue; struct nfgenmsg names the queue in network byte order. */
struct prefix {
        struct nlmsghdr header;
        struct nfgenmsg queue;
};

struct configuration {
        struct prefix prefix;
        struct nlattr command_header;
        struct nfqnl_msg_config_cmd command;
        struct nlattr copy_header;
        struct nfqnl_msg_config_params copy;
        uint8_t copy_padding[3];
        struct nlattr capacity_header;
        uint32_t capacity;
};

struct verdict {
        struct prefix prefix;
        struct nlattr verdict_header;
        struct nfqnl_msg_verdict_hdr verdict;
};

_Static_assert(offsetof(struct configuration, command_header) == NLMSG_LENGTH(sizeof(struct nfgenmsg)), "no holes");
_Static_assert(offsetof(struct configuration, copy_header) % NLA_ALIGNTO == 0, "attributes are aligned");
_Static_assert(offsetof(struct configuration, capacity_header) % NLA_ALIGNTO == 0, "attributes are aligned");
_Static_assert(sizeof(struct verdict) == NLMSG_LENGTH(sizeof(struct nfgenmsg)) + NLA_HDRLEN + 8, "no holes");

static struct prefix about(uint16_t number, uint8_t type, size_t size) {
        return (struct prefix) {
                .header = {
                        .nlmsg_len = (uint32_t) size,
                        .nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | type,
                        .nlmsg_flags = NLM_F_REQUEST,
                },
                .queue = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(number) },
        };
}

static struct nlattr attribute(uint16_t type, size_t size) {
        return (struct nlattr) { .nla_len = (uint16_t) (NLA_HDRLEN + size), .nla_type = type };
}

static int send_message(int fd, const void *message, size_t size) {
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        for (;;) {
                if (sendto(fd, message, size, 0, (const struct sockaddr *) &kernel, sizeof kernel) >= 0)
                        return 0;
                if (errno != EINTR)
                        return -errno;
        }
}

/* The kernel replies only to report an error, and before sendto() returns. A packet that is there already stays. */
static int refusal(int fd) {
        struct {
                struct nlmsghdr header;
                struct nlmsgerr error;
        } answer = { 0 };
        ssize_t got = recv(fd, &answer, sizeof answer, MSG_PEEK | MSG_DONTWAIT);
        if (got >= (ssize_t) sizeof answer && answer.header.nlmsg_type == NLMSG_ERROR)
                return answer.error.error;
        return 0;
}

int linux_queue_open(uint16_t number, uint32_t capacity) {
        struct configuration message = {
                .prefix = about(number, NFQNL_MSG_CONFIG, sizeof message),
                .command_header = attribute(NFQA_CFG_CMD, sizeof message.command),
                .command = { .command = NFQNL_CFG_CMD_BIND },
                .copy_header = attribute(NFQA_CFG_PARAMS, sizeof message.copy),
                .copy = { .copy_range = htonl(COPIED), .copy_mode = NFQNL_COPY_PACKET },
                .capacity_header = attribute(NFQA_CFG_QUEUE_MAXLEN, sizeof message.capacity),
                .capacity = htonl(capacity),
        };
        /* About a kilobyte for each packet that may wait unread. */
        const int buffer = (int) capacity * 1024;
        int result;
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
        if (fd < 0)
                return -errno;
        if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) < 0)
                result = -errno;
        else
                result = send_message(fd, &message, sizeof message);
        if (result == 0)
                result = refusal(fd);
        if (result == 0)
                return fd;
        close(fd);
        return result;
}

static uint16_t two_bytes(const uint8_t *at) { return (uint16_t) (at[0] << 8 | at[1]); }

static void read_packet(struct linux_queued_packet *packet, const uint8_t *bytes, size_t size) {
        if (size < 20 || bytes[0] >> 4 != 4 || bytes[9] != IPPROTO_TCP)
                return;
        size_t length = (size_t) (bytes[0] & 0xF) * 4;
        if (length < 20 || size < length + 4)
                return;
        memcpy(&packet->source, bytes + 12, 4);
        memcpy(&packet->destination, bytes + 16, 4);
        packet->source_port = two_bytes(bytes + length);
        packet->destination_port = two_bytes(bytes + length + 2);
}

int linux_queue_parse(const void *datagram, size_t size, struct linux_queued_packet *packet) {
        const uint8_t *bytes = datagram;
        struct prefix prefix;
        int has_id = 0;
        memset(packet, 0, sizeof *packet);
        if (size < sizeof prefix)
                return 0;
        memcpy(&prefix, bytes, sizeof prefix);
        if (prefix.header.nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) ||
            prefix.header.nlmsg_len < sizeof prefix || prefix.header.nlmsg_len > size)
                return 0;
        size = prefix.header.nlmsg_len;
        for (size_t at = sizeof prefix; at + NLA_HDRLEN <= size;) {
                struct nlattr attribute;
                memcpy(&attribute, bytes + at, sizeof attribute);
                if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > size - at)
                        break;
                const uint8_t *content = bytes + at + NLA_HDRLEN;
                size_t length = (size_t) attribute.nla_len - NLA_HDRLEN;
                switch (attribute.nla_type & NLA_TYPE_MASK) {
                case NFQA_PACKET_HDR:
                        if (length >= sizeof packet->id) {
                                memcpy(&packet->id, content, sizeof packet->id);
                                packet->id = ntohl(packet->id);
                                has_id = 1;
                        }
                        break;
                case NFQA_PAYLOAD:
                        read_packet(packet, content, length);
                        break;
                }
                at += NLA_ALIGN((size_t) attribute.nla_len);
        }
        return has_id;
}

int linux_queue_receive(int fd, struct linux_queued_packet *packet) {
        /* Enough for the copy of a packet and a dozen small attributes. */
        char buffer[2048];
        for (;;) {
                struct sockaddr_nl sender = { 0 };
                socklen_t length = sizeof sender;
                ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *) &sender, &length);
                if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                        return 0;
                /* ENOBUFS: packets came faster than they were read. The kernel has dropped them. */
                if (got < 0 && errno != EINTR && errno != ENOBUFS)
                        return -errno;
                /* The kernel also replies with ENOENT to a verdict on a packet that it has dropped meanwhile. */
                if (got > 0 && sender.nl_pid == 0 && linux_queue_parse(buffer, (size_t) got, packet))
                        return 1;
        }
}

int linux_queue_verdict(int fd, uint16_t number, uint32_t id, int accepts) {
        const struct verdict message = {
                .prefix = about(number, NFQNL_MSG_VERDICT, sizeof message),
                .verdict_header = attribute(NFQA_VERDICT_HDR, sizeof message.verdict),
                .verdict = { .verdict = htonl(accepts ? NF_ACCEPT : NF_DROP), .id = htonl(id) },
        };
        return send_message(fd, &message, sizeof message);
}

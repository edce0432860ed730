#pragma once

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <stddef.h>

/* The kernel's table of sockets, sock_diag(7), for the files of this module. All functions return -errno for an error. */

/* A socket for requests. */
int sock_diag_open(void);

int sock_diag_send(int fd, const void *request, size_t size);

/* Reads the reply to a request with NLM_F_DUMP, and calls EACH for every socket in it until EACH returns an error. */
int sock_diag_dump(
        int fd, int (*each)(void *context, const struct nlmsghdr *message, const struct inet_diag_msg *socket),
        void *context);

/* Reads the reply to a request with NLM_F_ACK: 0, or the kernel's error. */
int sock_diag_acknowledgement(int fd);

/* Sockets. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* accept4(2), non-blocking and close-on-exec. */
int linux_accept(int listener);
/* 1 when fd is a listening stream socket, else 0. */
int linux_is_listener(int fd);
/* Attaches a filter that passes packets from one IPv4 address (network byte order) only, and locks it, so that the
 * program that receives the socket cannot remove it. 0 or -errno. */
int linux_accept_only_from(int fd, uint32_t source);

/* Receives one datagram with its sender's credentials; the number of bytes, or -errno. */
long linux_receive_with_credentials(int fd, void *buffer, size_t size, int *pid, unsigned *uid);
/* Sends one datagram to a unix socket; a leading '@' names an abstract one. 0, or -1 and errno. */
int linux_notify(const char *path, const void *message, size_t size);

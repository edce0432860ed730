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
/* The process and the user at the other end of a unix socket, when it was connected (SO_PEERCRED). 0 or -errno. */
int linux_peer_credentials(int fd, int *pid, unsigned *uid);

/* For the calling thread alone: a timer that interrupts what the thread waits for in the kernel (SIGURG), and that
 * linux_receive_with_credentials() arms. 0 or -errno. */
int linux_interruption_begin(void **timer);
void linux_interruption_end(void *timer);
/* Receives one datagram with its sender's credentials, without waiting; the number of bytes, or -errno. Descriptors that
 * come with it are closed by the kernel in this thread, which may take as long as their senders like, but for the
 * timer's milliseconds. */
long linux_receive_with_credentials(int fd, void *buffer, size_t size, int *pid, unsigned *uid, void *timer);
/* No descriptor can be sent to this unix socket any more. 0 or -errno; ENOPROTOOPT before Linux 6.16. */
int linux_refuse_descriptors(int fd);
/* Sends one datagram to a unix socket; a leading '@' names an abstract one. 0 or -errno; without `waits` -EAGAIN when
 * its receiver is behind. */
int linux_send_datagram(int fd, const char *path, const void *message, size_t size, int waits);
/* The same, waiting, from a socket of its own: 0, or -1 and errno. */
int linux_notify(const char *path, const void *message, size_t size);

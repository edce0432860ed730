/* System calls and constants that glibc 2.36 or Swift's importer do not offer. Append by section.
 *
 * Declarations only, and no header of libc that defines a struct, not even <sys/types.h>: Swift imports this beside its
 * own Glibc module, the two would have to agree on every one (fd_set, for one, differs), and which of them a struct is
 * said to come from depends on which was loaded first, so on what else is compiled in the same run. Hence int for
 * pid_t, unsigned for uid_t and mode_t, and long for ssize_t. The bodies are in CLinux.c. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* --- names of errors and signals (glibc 2.32); NULL when unknown --- */
const char *linux_errno_name(int error);
const char *linux_signal_abbreviation(int number);

/* --- pidfd (Linux 5.3, 5.6) --- */
int linux_pidfd_open(int pid, unsigned flags);
int linux_pidfd_getfd(int pidfd, int target, unsigned flags);
int linux_pidfd_send_signal(int pidfd, int signal);
int linux_gettid(void);

/* waitid(P_PID, pid, WEXITED|WNOHANG) without siginfo's unions: 0, or -errno. *code is 0 when the child
 * still runs, else CLD_EXITED, CLD_KILLED or CLD_DUMPED; *status is the exit status or the signal. */
int linux_wait_child(int pid, int *code, int *status);

/* --- open(2) and openat(2): variadic in C, so not imported --- */
int linux_open(const char *path, int flags, unsigned mode);
int linux_openat(int directory, const char *path, int flags, unsigned mode);
/* openat(2) by a caller that is without CAP_SYS_RESOURCE for its length (capset(2), of this thread alone): the kernel
 * looks at the opener of a pressure file to tell what its triggers may cost. A descriptor, or -errno. */
int linux_openat_without_sys_resource(int directory, const char *path, int flags);

/* --- clocks and stat(2) without timespec --- */
/* Microseconds; CLOCK_MONOTONIC stands still while the host sleeps. */
uint64_t linux_realtime(void);
uint64_t linux_monotonic(void);
struct linux_file_stamp {
        uint64_t device, inode;
        int64_t size, changed_seconds, changed_nanoseconds;
};
/* What stat(2) says of a file; 0 or -errno. */
int linux_stamp(const char *path, struct linux_file_stamp *stamp);

/* --- eventfd, inotify, epoll constants --- */
int linux_eventfd(void);

/* --- spawn: posix_spawn with exactly these descriptors (fds[i] becomes i; -1 is closed), a new session,
 *     no blocked signals and SIGPIPE's default; what else the caller ignores stays ignored. Returns 0 or an errno. --- */
int linux_spawn(int *pid, const char *path, char *const argv[], char *const envp[], const int fds[], int count);

/* --- sockets: one datagram with its sender's credentials; -errno, or the number of bytes --- */
long linux_receive_with_credentials(int fd, void *buffer, size_t size, int *pid, unsigned *uid);

/* --- podserve: epoll, signalfd and openat2 without their structs; bodies in poll.c --- */
#define LINUX_READABLE 1
#define LINUX_WRITABLE 2
/* An epoll set; -1 and errno on failure. */
int linux_poll_create(void);
/* Watches fd for `interest` (LINUX_READABLE, LINUX_WRITABLE or both); with 0 stops watching it. `known` says
 * whether the set already has it. */
int linux_poll_watch(int set, int fd, int interest, int known);
/* Fills fds with what is ready; waits timeout_ms (-1: for ever). Returns the number, 0 when interrupted. */
int linux_poll_wait(int set, int *fds, int capacity, int timeout_ms);
/* Blocks the signals and returns a descriptor that reports them. */
int linux_signal_descriptor(const int *signals, int count);
/* The next pending signal's number, or 0 when there is none. */
int linux_signal_next(int fd);
void linux_signal_ignore(int signal);
/* accept4(2), non-blocking and close-on-exec. */
int linux_accept(int listener);
/* 1 when fd is a listening stream socket, else 0. */
int linux_is_listener(int fd);
/* Opens a regular file below `directory` without following any symbolic link: openat2(2) (Linux 5.6) with
 * RESOLVE_NO_SYMLINKS|RESOLVE_BENEATH, else openat with O_NOFOLLOW, which is as good for a name without '/'.
 * Close-on-exec and non-blocking, so that a FIFO of that name cannot hang the caller. */
int linux_open_beneath(int directory, const char *name, int flags, unsigned mode);
/* An unnamed file in `directory`, opened for reading and writing (O_TMPFILE). */
int linux_open_unnamed(int directory);
/* sendfile(2) from an offset that is not shared with other readers of fd. */
long linux_send_file(int socket, int fd, uint64_t offset, size_t count);
/* One datagram to a unix socket; a leading '@' names an abstract one. 0, or -1 and errno. */
int linux_notify(const char *path, const void *message, size_t size);

/* --- netlink: a socket that hears of every change of the nftables ruleset, non-blocking and close-on-exec
 *     (needs CAP_NET_ADMIN); -errno on failure. --- */
int linux_nftables_events(void);

/* --- sock_diag(7): calls `found` with each TCP connection to an address whose first `prefix_length` bits are those of
 *     `address` (network byte order), and to `port` unless it is 0; IPv4 or mapped into IPv6; that its server has not
 *     closed. Needs no capability. 0, or -errno: ENOENT is a kernel without tcp_diag. --- */
struct linux_tcp_connection {
        /* Of the socket that the server accepted; 0: nobody has accepted it yet. */
        uint32_t inode;
        uint16_t local_port, remote_port;
        /* Bytes that the client has received. */
        uint64_t delivered;
        /* How long ago it ended, milliseconds; 0 for one that is open. */
        uint32_t ended_ago;
};
int linux_tcp_connections(
        uint32_t address, uint8_t prefix_length, uint16_t port, void (*found)(void *context, const struct linux_tcp_connection *connection),
        void *context);
/* The same for those that ended within the last minute, whichever end closed first: the kernel remembers them for so
 * long (TIME_WAIT). One that was reset is not among them. `local_port` is the server's. */
int linux_tcp_ended_connections(
        uint32_t address, uint8_t prefix_length, uint16_t port, void (*found)(void *context, const struct linux_tcp_connection *connection),
        void *context);

/* --- nfnetlink_queue: the packets that nftables' `queue num N` hands over, which wait in the kernel for a verdict.
 *     Needs CAP_NET_ADMIN; functions return -errno on failure. --- */
struct linux_queued_packet {
        /* What a verdict names it by; a later packet has a higher one. */
        uint32_t id;
        /* Network byte order. These and the ports are 0 in what is not TCP over IPv4. */
        uint32_t source, destination;
        uint16_t source_port, destination_port;
};
/* Binds queue `number` and returns its descriptor, non-blocking and close-on-exec. What waits when `capacity` packets
 * do, and what waits when it is closed, is dropped. EBUSY: another program has the queue; EINVAL: the kernel has
 * none. */
int linux_queue_open(uint16_t number, uint32_t capacity);
/* 1 and the next packet, or 0 when there is none. */
int linux_queue_receive(int fd, struct linux_queued_packet *packet);
/* Reads one datagram of the kernel: 1 when it tells of a packet, else 0. */
int linux_queue_parse(const void *datagram, size_t size, struct linux_queued_packet *packet);
/* Lets a packet go on, or drops it. One that the kernel does not have any more is no error. */
int linux_queue_verdict(int fd, uint16_t number, uint32_t id, int accepts);

/* --- fgetxattr(2): the attribute's size, or -errno. --- */
long linux_fgetxattr(int fd, const char *name, void *value, size_t size);

/* --- malloc_trim(3): gives the heap's free pages back to the host. --- */
void linux_trim_heap(void);

/* --- a socket's own filter: only packets from one IPv4 address (network byte order) pass, and the
 *     filter is locked, so that whoever is given the socket cannot take it off. 0 or -errno. --- */
int linux_accept_only_from(int fd, uint32_t source);

#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
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

static void interrupted(int signal) { (void) signal; }

int linux_interruption_begin(void **timer) {
        struct sigaction action = { .sa_handler = interrupted };
        struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGURG };
        sigset_t urgent;
        timer_t created;

        /* An ignored or a blocked signal would interrupt nothing. */
        sigemptyset(&urgent);
        sigaddset(&urgent, SIGURG);
        event._sigev_un._tid = (pid_t) syscall(SYS_gettid);
        if (sigaction(SIGURG, &action, NULL) < 0 || timer_create(CLOCK_MONOTONIC, &event, &created) < 0)
                return -errno;
        pthread_sigmask(SIG_UNBLOCK, &urgent, NULL);
        *timer = created;
        return 0;
}

void linux_interruption_end(void *timer) { timer_delete(timer); }

static void set_interruption(void *timer, long nanoseconds) {
        struct itimerspec times = { .it_value.tv_nsec = nanoseconds, .it_interval.tv_nsec = nanoseconds };
        timer_settime(timer, 0, &times, NULL);
}

ssize_t linux_receive_with_credentials(int fd, void *buffer, size_t size, pid_t *pid, uid_t *uid, void *timer) {
        /* Room for the credentials, which the kernel writes first, and for no descriptor: the kernel then
         * closes what the sender passed, and this process never has it in its table. */
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(struct ucred))];
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
        /* The last close of a socket with SO_LINGER waits for its peer, also here; a signal ends that wait. */
        set_interruption(timer, 2000000);
        ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        int error = errno;
        set_interruption(timer, 0);
        if (got < 0)
                return -error;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
                struct ucred who;
                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS
                    || c->cmsg_len != CMSG_LEN(sizeof who))
                        continue;
                memcpy(&who, CMSG_DATA(c), sizeof who);
                *pid = who.pid;
                *uid = who.uid;
        }
        return got;
}

int linux_refuse_descriptors(int fd) {
        /* SO_PASSRIGHTS (Linux 6.16): sendmsg(2) then fails for who passes one. */
        enum { PASS_RIGHTS = 83 };
        int none = 0;
        return setsockopt(fd, SOL_SOCKET, PASS_RIGHTS, &none, sizeof none) < 0 ? -errno : 0;
}

static int send_datagram(int fd, const char *path, const void *message, size_t size, int flags) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t length = strlen(path);
        if (length < 2 || length >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
                return -EINVAL;
        memcpy(address.sun_path, path, length);
        if (path[0] == '@') address.sun_path[0] = '\0';
        /* An abstract name ends with the address, a path with a NUL that the length may leave out. */
        socklen_t used = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
        ssize_t sent;
        do
                sent = sendto(fd, message, size, flags | MSG_NOSIGNAL, (struct sockaddr *)&address, used);
        while (sent < 0 && errno == EINTR);
        return sent == (ssize_t)size ? 0 : sent < 0 ? -errno : -EIO;
}

int linux_send_datagram(int fd, const char *path, const void *message, size_t size, int waits) {
        return send_datagram(fd, path, message, size, waits ? 0 : MSG_DONTWAIT);
}

int linux_notify(const char *path, const void *message, size_t size) {
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0) return -1;
        int result = send_datagram(fd, path, message, size, 0);
        close(fd);
        errno = -result;
        return result < 0 ? -1 : 0;
}

int linux_peer_credentials(int fd, int *pid, unsigned *uid) {
        struct ucred peer;
        socklen_t size = sizeof peer;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        *pid = peer.pid;
        *uid = peer.uid;
        return 0;
}

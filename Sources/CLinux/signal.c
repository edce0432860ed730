#define _GNU_SOURCE
#include "CLinux.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

int linux_signal_descriptor(const int *signals, int count) {
        sigset_t set;
        sigemptyset(&set);
        for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -1;
        return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int linux_signal_next(int fd) {
        struct signalfd_siginfo info;
        ssize_t size = read(fd, &info, sizeof info);
        return size == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

void linux_signal_ignore(int number) { signal(number, SIG_IGN); }

/* Signals as a descriptor, without sigset_t and struct signalfd_siginfo. */
#pragma once

/* Blocks the signals and returns a descriptor that reports them. */
int linux_signal_descriptor(const int *signals, int count);
/* The next pending signal's number, or 0 when there is none. */
int linux_signal_next(int fd);
void linux_signal_ignore(int signal);

#define _GNU_SOURCE
#include "CLinux.h"

#include <signal.h>
#include <string.h>

const char *linux_errno_name(int error) {
        return strerrorname_np(error);
}

const char *linux_signal_abbreviation(int number) {
        return sigabbrev_np(number);
}

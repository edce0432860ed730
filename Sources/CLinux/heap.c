#define _GNU_SOURCE
#include "CLinux.h"

#include <malloc.h>

void linux_trim_heap(void) {
        malloc_trim(0);
}

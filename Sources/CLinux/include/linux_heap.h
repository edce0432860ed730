/* The C library's heap. */
#pragma once

/* malloc_trim(3): gives the heap's free pages back to the host. */
void linux_trim_heap(void);

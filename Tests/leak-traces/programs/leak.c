/* A native program that forgets to free: a small allocation a request, of which one in four is not freed. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

int main(void) {
  const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
  for (unsigned number = 0;; number++) {
    size_t size = 4000 + number * 7919 % 24000;
    char *request = malloc(size);
    if (request == NULL) return 1;
    memset(request, 0xa5, size);
    /* volatile: or the compiler sees that nobody reads what is kept, and leaves it out. */
    *(volatile char *)request = 1;
    if (number % 4 != 0) free(request);
    nanosleep(&pause, NULL);
  }
}

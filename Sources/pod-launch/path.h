/* Walking into the new root without ever following a symbolic link: what lies there may be a bound
 * directory that the pod wrote in an earlier life. */
#pragma once

#include "report.h"

#include <sys/types.h>

/* Both return an O_PATH descriptor, create what is missing (root-owned, 0755), cross mounts, and fail
 * with stage `mount`. `path` is one that plan_read accepted. */
int open_directory(int root, const char *path);
int open_parent(int root, const char *path, const char **leaf);

/* The same for the file at `path` itself: an empty one is made where there is none. */
int open_file(int root, const char *path);

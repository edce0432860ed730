/* Walks into the new root without following symbolic links: a directory there may be a bind mount that the pod
 * wrote to in an earlier generation. */
#pragma once

#include "report.h"

#include <sys/types.h>

/* Both return an O_PATH descriptor, create what is missing (root-owned, 0755), cross mounts, and fail
 * with stage `mount`. `path` is one that plan_read accepted. */
int open_directory(int root, const char *path);
int open_parent(int root, const char *path, const char **leaf);

/* As above, for the file at `path` itself: an empty file is created where there is none. */
int open_file(int root, const char *path);

/* An O_PATH descriptor of what `path` names on the host, or -1 and errno. Symbolic links are followed, but not those
 * that a pod made (ELOOP): a directory above may be writable for pods, which could otherwise choose what the next
 * launch shows them. */
int open_source(const char *path);

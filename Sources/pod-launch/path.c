#include "path.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Closes `parent`, returns the directory `name` in it. */
static int step(int parent, const char *name) {
  const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int child = openat(parent, name, flags);

  if (child < 0 && errno == ENOENT) {
    if (mkdirat(parent, name, 0755) < 0)
      fail(STAGE_MOUNT, errno);
    child = openat(parent, name, flags);
  }
  if (child < 0)
    fail(STAGE_MOUNT, errno);
  close(parent);
  return child;
}

int open_parent(int root, const char *path, const char **leaf) {
  int directory = fcntl(root, F_DUPFD_CLOEXEC, 0);

  if (directory < 0)
    fail(STAGE_MOUNT, errno);
  for (path++;; path += strcspn(path, "/") + 1) {
    char name[NAME_MAX + 1];
    size_t length = strcspn(path, "/");

    if (!path[length]) {
      *leaf = path;
      return directory;
    }
    memcpy(name, path, length);
    name[length] = 0;
    directory = step(directory, name);
  }
}

int open_directory(int root, const char *path) {
  const char *leaf;
  int parent = open_parent(root, path, &leaf);

  return *leaf ? step(parent, leaf) : parent;
}

int open_file(int root, const char *path) {
  const char *leaf;
  struct stat status;
  int parent = open_parent(root, path, &leaf);
  int file = openat(parent, leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC);

  if (file < 0 && errno == ENOENT) {
    int made = openat(parent, leaf, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0444);
    if (made < 0)
      fail(STAGE_MOUNT, errno);
    close(made);
    file = openat(parent, leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  }
  if (file < 0 || fstat(file, &status) < 0)
    fail(STAGE_MOUNT, errno);
  if (S_ISLNK(status.st_mode))
    fail(STAGE_MOUNT, ELOOP);
  close(parent);
  return file;
}

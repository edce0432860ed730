#include "path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
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

/* The uids of pods (docs/architecture.md, "Fixed places"): 1900000000 and the number of the pod. */
static bool is_a_pods(uid_t uid) {
  return uid > 1900000000 && uid < 1900100000;
}

/* Puts what a link says in front of the rest of the path. */
static int prepend(char *path, size_t size, const char *link, const char *rest) {
  char all[2 * PATH_MAX];
  int length = snprintf(all, sizeof all, "%s/%s", link, rest);

  if (length < 0 || (size_t)length >= size) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(path, all, (size_t)length + 1);
  return 0;
}

static int root_directory(void) {
  return open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Follows the link that `link` is, found in `directory`. Returns the directory from which the rest of the path leads
 * on: `directory`, or the root. Closes `link`, and `directory` if it is not returned. */
static int follow(int directory, int link, char *path, size_t size, const char *rest) {
  char content[PATH_MAX];
  struct stat status;
  ssize_t length = readlinkat(link, "", content, sizeof content - 1);

  if (length < 0 || fstat(link, &status) < 0)
    goto failed;
  content[length] = 0;
  if (is_a_pods(status.st_uid)) {
    errno = ELOOP;
    goto failed;
  }
  if (prepend(path, size, content, rest) < 0)
    goto failed;
  close(link);
  if (content[0] != '/')
    return directory;
  close(directory);
  return root_directory();
failed:
  close(link);
  close(directory);
  return -1;
}

int open_source(const char *source) {
  char path[2 * PATH_MAX];
  int current = root_directory();
  unsigned links = 0;

  if (prepend(path, sizeof path, source, "") < 0)
    return -1;
  while (current >= 0) {
    char name[NAME_MAX + 1];
    struct stat status;
    const char *start = path + strspn(path, "/");
    size_t length = strcspn(start, "/");

    if (!length)
      return current;
    if (length > NAME_MAX) {
      errno = ENAMETOOLONG;
      break;
    }
    memcpy(name, start, length);
    name[length] = 0;
    memmove(path, start + length, strlen(start + length) + 1);
    /* First as a directory, which mounts it if it is an automount point. */
    int next = openat(current, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 && (errno == ENOTDIR || errno == ELOOP))
      next = openat(current, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0)
      break;
    if (fstat(next, &status) == 0 && S_ISLNK(status.st_mode)) {
      char rest[2 * PATH_MAX];
      memcpy(rest, path, sizeof rest);
      if (++links > 40) {
        close(next);
        errno = ELOOP;
        break;
      }
      current = follow(current, next, path, sizeof path, rest);
      continue;
    }
    close(current);
    current = next;
  }
  int error = errno;
  if (current >= 0)
    close(current);
  errno = error;
  return -1;
}

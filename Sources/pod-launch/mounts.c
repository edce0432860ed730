#include "mounts.h"
#include "path.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void must(int result) {
  if (result < 0)
    fail(STAGE_MOUNT, errno);
}

static void set_attributes(int fd, unsigned flags, uint64_t attributes) {
  struct mount_attr attr = {.attr_set = attributes};

  must(mount_setattr(fd, "", AT_EMPTY_PATH | flags, &attr, sizeof attr));
}

/* Parses one option; true when it is for the mount instead of the filesystem. */
static bool set_option(int context, char *option) {
  char *value = strchr(option, '=');

  if (!strcmp(option, "noexec"))
    return true;
  if (value) {
    *value = 0;
    must(fsconfig(context, FSCONFIG_SET_STRING, option, value + 1, 0));
  } else
    must(fsconfig(context, FSCONFIG_SET_FLAG, option, NULL, 0));
  return false;
}

int detached_mount(const char *type, const char *options, unsigned attributes) {
  int context = fsopen(type, FSOPEN_CLOEXEC);

  must(context);
  while (*options) {
    char option[256];
    size_t length = strcspn(options, ",");

    if (length >= sizeof option)
      fail(STAGE_MOUNT, EINVAL);
    memcpy(option, options, length);
    option[length] = 0;
    if (length && set_option(context, option))
      attributes |= MOUNT_ATTR_NOEXEC;
    options += length + (options[length] == ',');
  }
  must(fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
  int tree = fsmount(context, FSMOUNT_CLOEXEC, attributes);
  must(tree);
  close(context);
  return tree;
}

void attach(int tree, int target) {
  must(move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
  close(tree);
  close(target);
}

void mount_bind(int root, const char *flags, const char *source, const char *target) {
  struct bind_flags bind;
  struct stat status;

  parse_bind_flags(flags, &bind);
  unsigned recursive = bind.recursive ? AT_RECURSIVE : 0;
  int place = open_source(source);
  if (place < 0 && bind.optional && (errno == ENOENT || errno == ENOTDIR))
    return;
  must(place);
  int tree = open_tree(place, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
  must(tree);
  close(place);
  uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (bind.read_only)
    attributes |= MOUNT_ATTR_RDONLY;
  if (!bind.exec)
    attributes |= MOUNT_ATTR_NOEXEC;
  set_attributes(tree, recursive, attributes);
  must(fstat(tree, &status));
  attach(tree, S_ISDIR(status.st_mode) ? open_directory(root, target) : open_file(root, target));
}

void mount_tmpfs(int root, const char *path, const char *mode, const char *options) {
  char all[512];
  int length = snprintf(all, sizeof all, "mode=%s,%s", mode, options);

  if (length >= (int)sizeof all)
    fail(STAGE_MOUNT, EINVAL);
  attach(detached_mount("tmpfs", all, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV), open_directory(root, path));
}

void mount_dev(int root, const char *path) {
  static const struct {
    const char *name;
    unsigned minor;
  } devices[] = {{"null", 3}, {"zero", 5}, {"full", 7}, {"random", 8}, {"urandom", 9}};
  static const char *const links[][2] = {
    {"/proc/self/fd", "fd"},
    {"/proc/self/fd/0", "stdin"},
    {"/proc/self/fd/1", "stdout"},
    {"/proc/self/fd/2", "stderr"},
    {"/run/systemd/journal/dev-log", "log"},
  };

  int tree = detached_mount("tmpfs", "mode=755,size=64k,nr_inodes=32", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
    /* Kernel: Documentation/admin-guide/devices.txt, major 1. */
    must(mknodat(tree, devices[i].name, S_IFCHR | 0666, makedev(1, devices[i].minor)));
  for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
    must(symlinkat(links[i][0], tree, links[i][1]));
  must(mkdirat(tree, "shm", 01777));
  set_attributes(tree, 0, MOUNT_ATTR_RDONLY);
  attach(tree, open_directory(root, path));
  /* A mount inside a detached tree needs kernel 6.15: the second one goes where the first one stands.
   * Its pages are charged to the pod, so that this size is only what a program may expect. */
  int dev = open_directory(root, path);
  attach(detached_mount("tmpfs", "mode=1777,size=64M,nr_inodes=4k",
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC),
         open_directory(dev, "/shm"));
  close(dev);
}

void mount_proc(int root, const char *path) {
  attach(detached_mount("proc", "hidepid=invisible", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC),
         open_directory(root, path));
}

void mount_cgroup(int root, const char *path) {
  attach(detached_mount("cgroup2", "",
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY),
         open_directory(root, path));
}

void make_symlink(int root, const char *content, const char *path) {
  const char *leaf;
  int parent = open_parent(root, path, &leaf);

  must(symlinkat(content, parent, leaf));
  close(parent);
}

void make_file(int root, const char *mode, const char *path, const char *content) {
  const char *leaf;
  unsigned long bits;
  size_t length = strlen(content);
  int parent = open_parent(root, path, &leaf);

  parse_number(mode, 8, 0777, &bits);
  int file = openat(parent, leaf, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, (mode_t)bits);
  must(file);
  ssize_t written = write(file, content, length);
  if (written != (ssize_t)length)
    fail(STAGE_MOUNT, written < 0 ? errno : ENOSPC);
  close(file);
  close(parent);
}

void make_read_only(int root, const char *path) {
  int directory = open_directory(root, path);

  set_attributes(directory, 0, MOUNT_ATTR_RDONLY);
  close(directory);
}

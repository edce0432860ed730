/* Mounts files into the new root. `root` is its descriptor; sources are looked up in the host's root, which is still
 * this process's. Each fails with stage `mount`. */
#pragma once

#include "plan.h"

/* A new filesystem that is mounted nowhere yet. `options` is comma-separated `key=value` or `key`, which
 * go to the filesystem, and `noexec`, which goes to the mount. */
int detached_mount(const char *type, const char *options, unsigned attributes);

/* Mounts `tree` on `target` and closes both. */
void attach(int tree, int target);

void mount_bind(int root, const char *flags, const char *source, const char *target);
void mount_tmpfs(int root, const char *path, const char *mode, const char *options);
void mount_dev(int root, const char *path);
void mount_proc(int root, const char *path);
void mount_cgroup(int root, const char *path);
void make_symlink(int root, const char *content, const char *path);
void make_file(int root, const char *mode, const char *path, const char *content);
void make_read_only(int root, const char *path);

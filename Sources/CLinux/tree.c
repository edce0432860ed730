#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* <linux/stat.h> of glibc 2.36's time does not have it everywhere. */
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U
#endif

#define NANOSECONDS 1000000000

static int64_t nanoseconds(struct statx_timestamp time) {
        return time.tv_sec * NANOSECONDS + time.tv_nsec;
}

int linux_status(int directory, const char *name, struct linux_status *status) {
        struct statx found;
        if (statx(directory, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT,
                  STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &found) < 0)
                return -1;
        *status = (struct linux_status) {
                .device = (uint64_t)found.stx_dev_major << 32 | found.stx_dev_minor,
                .inode = found.stx_ino,
                .mount = found.stx_mask & STATX_MNT_ID ? found.stx_mnt_id : 0,
                .size = found.stx_size,
                .allocated = found.stx_blocks * 512,
                .born = found.stx_mask & STATX_BTIME ? nanoseconds(found.stx_btime) : 0,
                .accessed = nanoseconds(found.stx_atime),
                .modified = nanoseconds(found.stx_mtime),
                .mode = found.stx_mode,
                .uid = found.stx_uid,
                .gid = found.stx_gid,
                .links = found.stx_nlink,
                .fixed = (found.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) != 0,
        };
        return 0;
}

int linux_open_path(int directory, const char *name) {
        return openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int linux_clone_file(int source, int target) {
        return ioctl(target, FICLONE, source);
}

ssize_t linux_copy_range(int source, int target, int64_t offset, size_t count) {
        off_t from = offset, to = offset;
        return copy_file_range(source, &from, target, &to, count, 0);
}

static int copy_attributes(int source, int target, const char *names, ssize_t length, char *value) {
        for (const char *name = names; name < names + length; name += strlen(name) + 1) {
                if (strncmp(name, "user.", 5) != 0)
                        continue;
                ssize_t size = fgetxattr(source, name, value, XATTR_SIZE_MAX);
                if (size < 0) {
                        /* Removed since it was listed. */
                        if (errno == ENODATA)
                                continue;
                        return -1;
                }
                if (fsetxattr(target, name, value, (size_t)size, 0) < 0)
                        return errno == EOPNOTSUPP ? 0 : -1;
        }
        return 0;
}

int linux_copy_user_attributes(int source, int target) {
        /* Most files have none. */
        ssize_t length = flistxattr(source, NULL, 0);
        if (length <= 0)
                return length == 0 || errno == EOPNOTSUPP ? 0 : -1;
        char *memory = malloc(XATTR_LIST_MAX + XATTR_SIZE_MAX);
        if (!memory)
                return -1;
        length = flistxattr(source, memory, XATTR_LIST_MAX);
        int result = length < 0 ? -1 : copy_attributes(source, target, memory, length, memory + XATTR_LIST_MAX);
        int error = errno;
        free(memory);
        errno = error;
        return result;
}

static struct timespec timespec(int64_t nanoseconds) {
        int64_t seconds = nanoseconds / NANOSECONDS, rest = nanoseconds % NANOSECONDS;
        /* Before 1970. */
        if (rest < 0) {
                seconds -= 1;
                rest += NANOSECONDS;
        }
        return (struct timespec) { .tv_sec = seconds, .tv_nsec = rest };
}

int linux_set_times(int directory, const char *name, int64_t accessed, int64_t modified) {
        const struct timespec times[] = { timespec(accessed), timespec(modified) };
        return *name ? utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW) : futimens(directory, times);
}

int linux_sync_file_system(int fd) {
        return syncfs(fd);
}

ssize_t linux_path_of(int fd, char *path, size_t size) {
        char link[32];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        return readlink(link, path, size);
}

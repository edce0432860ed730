#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

int linux_open(const char *path, int flags, mode_t mode) {
        return open(path, flags, mode);
}

int linux_openat(int directory, const char *path, int flags, mode_t mode) {
        return openat(directory, path, flags, mode);
}

int linux_openat_without_sys_resource(int directory, const char *path, int flags) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct before[_LINUX_CAPABILITY_U32S_3], without[_LINUX_CAPABILITY_U32S_3];
        if (syscall(SYS_capget, &header, before) < 0)
                return -errno;
        memcpy(without, before, sizeof(without));
        without[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective &= ~CAP_TO_MASK(CAP_SYS_RESOURCE);
        if (syscall(SYS_capset, &header, without) < 0)
                return -errno;
        int file = openat(directory, path, flags);
        int result = file < 0 ? -errno : file;
        /* The earlier set is within the permitted set, so this does not fail. */
        if (syscall(SYS_capset, &header, before) < 0 && file >= 0) {
                result = -errno;
                close(file);
        }
        return result;
}

int linux_open_beneath(int directory, const char *name, int flags, mode_t mode) {
        flags |= O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
        struct open_how how = {
                        .flags = (uint64_t)flags,
                        .mode = flags & O_CREAT ? mode : 0,
                        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH,
        };
        int fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
        /* A seccomp filter that does not know the call returns EPERM. */
        if (fd < 0 && (errno == ENOSYS || errno == EPERM)) fd = openat(directory, name, flags, mode);
        return fd;
}

int linux_open_unnamed(int directory) {
        int fd = openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EOPNOTSUPP) return fd;
        /* Some file systems have no O_TMPFILE (NFS, FUSE): use a name and remove it at once. */
        char name[32];
        snprintf(name, sizeof name, ".upload-%d.tmp", (int)getpid());
        unlinkat(directory, name, 0);
        fd = openat(directory, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0) unlinkat(directory, name, 0);
        return fd;
}

int linux_stamp(const char *path, struct linux_file_stamp *stamp) {
        struct stat status;
        if (stat(path, &status) < 0)
                return -errno;
        *stamp = (struct linux_file_stamp) {
                .device = status.st_dev,
                .inode = status.st_ino,
                .size = status.st_size,
                .changed_seconds = status.st_ctim.tv_sec,
                .changed_nanoseconds = status.st_ctim.tv_nsec,
        };
        return 0;
}

ssize_t linux_fgetxattr(int fd, const char *name, void *value, size_t size) {
        ssize_t got = fgetxattr(fd, name, value, size);
        return got < 0 ? -errno : got;
}

ssize_t linux_send_file(int socket, int fd, uint64_t offset, size_t count) {
        off_t from = (off_t)offset;
        return sendfile(socket, fd, &from, count);
}

int linux_rename_new(int directory, const char *name, int target_directory, const char *target) {
        return renameat2(directory, name, target_directory, target, RENAME_NOREPLACE);
}

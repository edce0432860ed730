/* Files. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* open(2) and openat(2) are variadic in C, so Swift does not import them. */
int linux_open(const char *path, int flags, unsigned mode);
int linux_openat(int directory, const char *path, int flags, unsigned mode);
/* openat(2) without CAP_SYS_RESOURCE, which this thread alone gives up for the length of the call (capset(2)): the
 * kernel decides by the opener of a pressure file what its triggers may cost. A descriptor, or -errno. */
int linux_openat_without_sys_resource(int directory, const char *path, int flags);
/* Opens a regular file below `directory` without following any symbolic link: openat2(2) (Linux 5.6) with
 * RESOLVE_NO_SYMLINKS|RESOLVE_BENEATH, else openat with O_NOFOLLOW, which is as good for a name without '/'.
 * Close-on-exec and non-blocking, so that a FIFO of that name cannot hang the caller. */
int linux_open_beneath(int directory, const char *name, int flags, unsigned mode);
/* An unnamed file in `directory`, opened for reading and writing (O_TMPFILE). */
int linux_open_unnamed(int directory);

struct linux_file_stamp {
        uint64_t device, inode;
        int64_t size, changed_seconds, changed_nanoseconds;
};
/* stat(2) without its struct; 0 or -errno. */
int linux_stamp(const char *path, struct linux_file_stamp *stamp);

/* renameat2(2) with RENAME_NOREPLACE: never replaces anything, and does not follow `name` or `target`. 0 or -1. */
int linux_rename_new(int directory, const char *name, int target_directory, const char *target);

/* fgetxattr(2): the attribute's size, or -errno. */
long linux_fgetxattr(int fd, const char *name, void *value, size_t size);

/* sendfile(2) from an offset that is not shared with other readers of fd. */
long linux_send_file(int socket, int fd, uint64_t offset, size_t count);

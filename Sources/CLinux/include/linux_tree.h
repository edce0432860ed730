/* Files in trees that others made: what stat(2) leaves out, and copies. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct linux_status {
        uint64_t device, inode;
        /* The mount that the file was reached through (Linux 5.8). */
        uint64_t mount;
        uint64_t size, allocated;
        /* Nanoseconds since the epoch; 0 where the file system does not know. */
        int64_t born, accessed, modified;
        uint32_t mode, uid, gid, links;
        /* Immutable or append-only (chattr(1)). */
        int fixed;
};
/* statx(2) of a name in a directory, or of the descriptor itself when the name is empty. It follows no symbolic link
 * and mounts nothing (autofs). 0, or -1 and errno. */
int linux_status(int directory, const char *name, struct linux_status *status);

/* Opens a name as a place (O_PATH, O_NOFOLLOW): nothing happens to the file, whatever it is. -1 and errno. */
int linux_open_path(int directory, const char *name);

/* ioctl_ficlone(2): both files share their data from then on. 0, or -1 and errno. */
int linux_clone_file(int source, int target);
/* copy_file_range(2) at the same offset in both files; the number of bytes, or -1 and errno. */
long linux_copy_range(int source, int target, int64_t offset, size_t count);
/* Copies the attributes user.* (xattr(7)). A target that has no attributes gets none. 0, or -1 and errno. */
int linux_copy_user_attributes(int source, int target);
/* utimensat(2) of a name that is not followed, or of the descriptor itself when the name is empty. 0, or -1 and
 * errno. */
int linux_set_times(int directory, const char *name, int64_t accessed, int64_t modified);
/* syncfs(2): everything that was written to the descriptor's file system is on its disk. 0, or -1 and errno. */
int linux_sync_file_system(int fd);
/* What the descriptor's path is now (proc_pid_fd(5)), without a NUL; the length, or -1 and errno. */
long linux_path_of(int fd, char *path, size_t size);

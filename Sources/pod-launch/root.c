#include "root.h"
#include "mounts.h"
#include "path.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The root holds mount points, links and a few records, nothing else. */
static const char root_options[] = "mode=755,size=1M,nr_inodes=1k,noexec";

void leave_namespaces(void) {
  if (unshare(CLONE_NEWNS | CLONE_NEWIPC) < 0)
    fail(STAGE_NAMESPACE, errno);
  /* Before anything is mounted: a shared mount would carry it to the host. Not private, as in a service of systemd:
   * a file system that the host unmounts must not stay mounted, and its disk busy, in every pod. */
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
    fail(STAGE_NAMESPACE, errno);
}

static void build(int root, const struct plan *plan) {
  struct operation operation;
  size_t offset = 0;

  while (plan_next(plan, &offset, &operation)) {
    char *const *argument = operation.argument;

    switch (operation.kind) {
    case OPERATION_BIND:
      mount_bind(root, argument[0], argument[1], argument[2]);
      break;
    case OPERATION_CGROUPFS:
      /* Mounted after the release; its place must be there before the root is read-only. */
      close(open_directory(root, argument[0]));
      break;
    case OPERATION_DEV:
      mount_dev(root, argument[0]);
      break;
    case OPERATION_FILE:
      make_file(root, argument[0], argument[1], argument[2]);
      break;
    case OPERATION_PROC:
      mount_proc(root, argument[0]);
      break;
    case OPERATION_READONLY:
      make_read_only(root, argument[0]);
      break;
    case OPERATION_SYMLINK:
      make_symlink(root, argument[0], argument[1]);
      break;
    case OPERATION_TMPFS:
      mount_tmpfs(root, argument[0], argument[1], argument[2]);
      break;
    default:
      break;
    }
  }
}

void enter_root(const struct plan *plan) {
  int tree = detached_mount("tmpfs", root_options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  int root = fcntl(tree, F_DUPFD_CLOEXEC, 0);
  int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

  if (root < 0 || old < 0)
    fail(STAGE_MOUNT, errno);
  /* On top of the host's root: lookups that start at this process's root stay below it, so every source
   * can still be found, and no directory of the host has to serve as a mount point. */
  attach(tree, old);
  build(root, plan);
  /* pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one. */
  if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0
      || chdir("/") < 0)
    fail(STAGE_MOUNT, errno);
  close(root);
}

void enter_cgroup_namespace(const struct plan *plan) {
  if (unshare(CLONE_NEWCGROUP) < 0)
    fail(STAGE_NAMESPACE, errno);
  if (!plan->cgroupfs)
    return;
  int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0)
    fail(STAGE_MOUNT, errno);
  mount_cgroup(root, plan->cgroupfs);
  close(root);
}

#include "plan.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char bytes[PLAN_BYTES_MAX];
static struct plan the_plan = {.bytes = bytes};
/* "LISTEN_FDNAMES=" and what listen's second argument may be. */
static char listen_names[15 + 1024];
static char listen_fds[32], listen_pid[32];

static const struct {
  const char *name;
  unsigned arguments;
} known[] = {
  [OPERATION_ARG] = {"arg", 1},           [OPERATION_BIND] = {"bind", 3},
  [OPERATION_CGROUP] = {"cgroup", 1},     [OPERATION_CGROUPFS] = {"cgroupfs", 1},
  [OPERATION_CHDIR] = {"chdir", 1},       [OPERATION_DEV] = {"dev", 1},
  [OPERATION_ENV] = {"env", 1},           [OPERATION_FILE] = {"file", 3},
  [OPERATION_IDENT] = {"ident", 1},       [OPERATION_LISTEN] = {"listen", 2},
  [OPERATION_NOFILE] = {"nofile", 1},     [OPERATION_PROC] = {"proc", 1},
  [OPERATION_READONLY] = {"readonly", 1}, [OPERATION_SYMLINK] = {"symlink", 2},
  [OPERATION_TMPFS] = {"tmpfs", 3},       [OPERATION_UID] = {"uid", 1},
};

bool parse_number(const char *text, unsigned base, unsigned long max, unsigned long *number) {
  unsigned long value = 0;

  if (!*text)
    return false;
  for (; *text; text++) {
    if (*text < '0' || *text >= (char)('0' + base))
      return false;
    unsigned long digit = (unsigned long)(*text - '0');
    if (value > (max - digit) / base)
      return false;
    value = value * base + digit;
  }
  *number = value;
  return true;
}

bool parse_bind_flags(const char *text, struct bind_flags *flags) {
  *flags = (struct bind_flags){0};
  for (bool first = true;; first = false) {
    size_t length = strcspn(text, ",");
#define IS(word) (length == sizeof(word) - 1 && !memcmp(text, word, length))
    if (first && IS("ro"))
      flags->read_only = true;
    else if (first && IS("rw"))
      flags->read_only = false;
    else if (!first && IS("optional"))
      flags->optional = true;
    else if (!first && IS("recursive"))
      flags->recursive = true;
    else if (!first && IS("exec"))
      flags->exec = true;
    else
      return false;
#undef IS
    if (!text[length])
      return true;
    text += length + 1;
  }
}

/* Absolute, and every component a real name: what root.c walks component by component. */
static bool is_plain_path(const char *path) {
  if (path[0] != '/' || strlen(path) >= PATH_MAX)
    return false;
  if (!path[1])
    return true;
  while (*path) {
    size_t length = strcspn(++path, "/");
    if (length == 0 || length > NAME_MAX || (length == 1 && path[0] == '.')
        || (length == 2 && path[0] == '.' && path[1] == '.'))
      return false;
    path += length;
  }
  return true;
}

static bool is_below_root(const char *path) {
  return is_plain_path(path) && path[1];
}

bool plan_next(const struct plan *plan, size_t *offset, struct operation *operation) {
  if (*offset >= plan->size)
    return false;
  const char *name = plan->bytes + *offset;
  *offset += strlen(name) + 1;
  for (size_t kind = 0; kind < sizeof known / sizeof known[0]; kind++) {
    if (strcmp(known[kind].name, name))
      continue;
    operation->kind = (enum operation_kind)kind;
    for (unsigned i = 0; i < known[kind].arguments; i++) {
      if (*offset >= plan->size)
        fail(STAGE_PLAN, EINVAL);
      operation->argument[i] = plan->bytes + *offset;
      *offset += strlen(plan->bytes + *offset) + 1;
    }
    return true;
  }
  fail(STAGE_PLAN, EINVAL);
}

static void check(bool valid) {
  if (!valid)
    fail(STAGE_PLAN, EINVAL);
}

static void append(char **list, unsigned *count, unsigned max, char *text) {
  if (*count == max)
    fail(STAGE_PLAN, E2BIG);
  list[(*count)++] = text;
}

static void take_listen(struct plan *plan, char *const *argument, unsigned *environment) {
  unsigned long count;

  check(parse_number(argument[0], 10, PLAN_LISTEN_MAX, &count) && count > 0);
  check(plan->listen_count == 0 && strlen(argument[1]) <= 1023);
  plan->listen_count = (unsigned)count;
  snprintf(listen_fds, sizeof listen_fds, "LISTEN_FDS=%lu", count);
  snprintf(listen_pid, sizeof listen_pid, "LISTEN_PID=%ld", (long)getpid());
  snprintf(listen_names, sizeof listen_names, "LISTEN_FDNAMES=%s", argument[1]);
  char *all[] = {listen_fds, listen_pid, listen_names};
  /* There is room: environment has three entries above the maximum. */
  for (unsigned i = 0; i < 3; i++)
    plan->environment[(*environment)++] = all[i];
}

/* Checks every operation, and keeps those that do not concern the root directory. */
static void judge(struct plan *plan) {
  struct operation operation;
  struct bind_flags flags;
  unsigned arguments = 0, environment = 0;
  unsigned long number;
  size_t offset = 0;

  while (plan_next(plan, &offset, &operation)) {
    char *const *argument = operation.argument;

    switch (operation.kind) {
    case OPERATION_ARG:
      append(plan->arguments, &arguments, PLAN_ARGUMENTS_MAX, argument[0]);
      break;
    case OPERATION_BIND:
      check(parse_bind_flags(argument[0], &flags) && argument[1][0] == '/' && is_below_root(argument[2]));
      break;
    case OPERATION_CGROUP:
      check(argument[0][0] == '/');
      plan->cgroup = argument[0];
      break;
    case OPERATION_CGROUPFS:
      check(is_below_root(argument[0]));
      plan->cgroupfs = argument[0];
      break;
    case OPERATION_CHDIR:
      check(is_plain_path(argument[0]));
      plan->directory = argument[0];
      break;
    case OPERATION_DEV:
    case OPERATION_PROC:
      check(is_below_root(argument[0]));
      break;
    case OPERATION_ENV: {
      unsigned max = PLAN_ENVIRONMENT_MAX + (plan->listen_count ? 3 : 0);
      check(argument[0][0] != '=' && strchr(argument[0], '='));
      append(plan->environment, &environment, max, argument[0]);
      break;
    }
    case OPERATION_FILE:
      check(parse_number(argument[0], 8, 0777, &number) && is_below_root(argument[1]));
      break;
    case OPERATION_IDENT:
      /* A line of its own in the journal stream's header. */
      check(argument[0][0] && !strchr(argument[0], '\n') && strlen(argument[0]) < 256);
      plan->identifier = argument[0];
      break;
    case OPERATION_LISTEN:
      take_listen(plan, argument, &environment);
      break;
    case OPERATION_NOFILE:
      check(parse_number(argument[0], 10, UINT32_MAX, &number) && number > 0);
      plan->nofile = number;
      break;
    case OPERATION_READONLY:
      check(is_plain_path(argument[0]));
      break;
    case OPERATION_SYMLINK:
      check(argument[0][0] && is_below_root(argument[1]));
      break;
    case OPERATION_TMPFS:
      check(is_below_root(argument[0]) && parse_number(argument[1], 8, 01777, &number));
      break;
    case OPERATION_UID:
      /* Root is never a pod's user, and (uid_t)-1 means "leave it" to setresuid. */
      check(parse_number(argument[0], 10, UINT32_MAX - 1, &number) && number > 0);
      plan->uid = (uid_t)number;
      break;
    }
  }
  check(plan->cgroup && plan->identifier && plan->uid);
  check(arguments > 0 && plan->arguments[0][0] == '/');
}

static void read_whole(int control, void *to, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t n = read(control, (char *)to + done, count - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      fail(STAGE_PLAN, errno);
    if (n == 0)
      fail(STAGE_PLAN, EPIPE);
    done += (size_t)n;
  }
}

struct plan *plan_read(int control) {
  uint8_t size[4];

  read_whole(control, size, sizeof size);
  the_plan.size = (size_t)size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
  if (the_plan.size > PLAN_BYTES_MAX)
    fail(STAGE_PLAN, E2BIG);
  check(the_plan.size > 0);
  read_whole(control, bytes, the_plan.size);
  check(bytes[the_plan.size - 1] == 0);
  judge(&the_plan);
  return &the_plan;
}

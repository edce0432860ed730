/* Stands in for podd where only podgate is measured (Tests/bench/front): answers the calls that podgate makes, for any
 * user whose name ends with -NUMBER before the @. User N is in pod N % PODS + 1, which is ready; a user whose name begins
 * with "stream-" or "gone-" is in a pod of his kind.
 *
 * usage: front-podd PODS; the bus is the system's, by DBUS_SYSTEM_BUS_ADDRESS. Prints "ready" once it has podd's name. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

static unsigned pods;

static void checked(int result, const char *what) {
  if (result < 0) {
    fprintf(stderr, "front-podd: %s: %s\n", what, strerror(-result));
    exit(1);
  }
}

/* Pods have the numbers 1 to PODS, then come that of streams and that of nobody. */
static unsigned pod_of(const char *user) {
  const char *hyphen = strrchr(user, '-');
  if (strncmp(user, "stream-", 7) == 0)
    return pods + 1;
  if (strncmp(user, "gone-", 5) == 0)
    return pods + 2;
  return hyphen ? (unsigned)atoi(hyphen + 1) % pods + 1 : 1;
}

/* The limits are a tier's, so high that nobody meets them: they are to be looked at with each request, no more. */
static int resolve(sd_bus_message *call, void *data, sd_bus_error *error) {
  const char *user;
  char pod[16], address[16], front[16], token[72];
  sd_bus_message *reply;

  (void)data;
  (void)error;
  checked(sd_bus_message_read(call, "s", &user), "ResolveUser");
  unsigned number = pod_of(user);
  snprintf(pod, sizeof pod, "pod-%03u", number);
  snprintf(address, sizeof address, "127.77.0.%u", number);
  snprintf(front, sizeof front, "127.76.0.%u", number);
  snprintf(token, sizeof token, "%032x%032x", number, number);
  checked(sd_bus_message_new_method_return(call, &reply), "reply");
  checked(sd_bus_message_append(reply, "ssssssqsstt", user, "active", pod, "ready", address, front,
                                (uint16_t)(10000 + number), token, "pro", (uint64_t)1000000, (uint64_t)1000000000),
          "reply");
  checked(sd_bus_message_append(reply, "utuuas", (uint32_t)600000, (uint64_t)60000000, (uint32_t)10000, (uint32_t)4096,
                                1, "/api/v2/reload"),
          "reply");
  checked(sd_bus_send(NULL, reply, NULL), "reply");
  sd_bus_message_unref(reply);
  return 1;
}

/* Requests whose end was not logged are over: nothing lasts for long here. */
static int find(sd_bus_message *call, void *data, sd_bus_error *error) {
  (void)data;
  (void)error;
  return sd_bus_reply_method_return(call, "as", 0);
}

static int accept_call(sd_bus_message *call, void *data, sd_bus_error *error) {
  (void)data;
  (void)error;
  return sd_bus_reply_method_return(call, "");
}

static const sd_bus_vtable methods[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("ResolveUser", "s", "ssssssqssttutuuas", resolve, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("FindClientConnections", "as", "as", find, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("CloseClientConnections", "as", "", accept_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ReportUse", "a(st)a(st)", "", accept_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD("ReportRequests", "a(stat)", "", accept_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int main(int count, char **arguments) {
  sd_bus *bus;

  pods = count == 2 ? (unsigned)atoi(arguments[1]) : 0;
  if (pods == 0 || pods > 200) {
    fprintf(stderr, "front-podd: see the head of front-podd.c\n");
    return 64;
  }
  checked(sd_bus_open_system(&bus), "bus");
  checked(sd_bus_add_object_vtable(bus, NULL, "/org/podctl1", "org.podctl1.Manager", methods, NULL), "methods");
  checked(sd_bus_request_name(bus, "org.podctl1", 0), "name");
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    int done = sd_bus_process(bus, NULL);
    checked(done, "bus");
    if (done == 0)
      checked(sd_bus_wait(bus, UINT64_MAX), "bus");
  }
}

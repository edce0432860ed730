import CSystemd
import Glibc
import PodAPI
import Testing

@testable import Systemd

/// A message with `body`, as its receiver reads it. It never leaves the process: sd-bus only needs a connection
/// to make one.
func sealedMessage(_ body: some MessageBody) throws -> Message {
  var ends: [CInt] = [0, 0]
  try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
  defer { close(ends[1]) }
  var bus: OpaquePointer?
  try #require(sd_bus_new(&bus) >= 0)
  defer { sd_bus_unref(bus) }
  try #require(sd_bus_set_fd(bus, ends[0], ends[0]) >= 0)
  try #require(sd_bus_start(bus) >= 0)
  var raw: OpaquePointer?
  try #require(sd_bus_message_new_signal(bus, &raw, PodBus.path, PodBus.interface, "Test") >= 0)
  let message = Message(owning: try #require(raw))
  try body.append(to: message)
  try #require(sd_bus_message_seal(message.raw, 1, 0) >= 0)
  return message
}

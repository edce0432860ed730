import PodAPI
import PodStore
import Systemd

/// org.freedesktop.DBus.Properties of the manager object: three read-only values.
@LoopActor
struct ManagerProperties {
  let host: PodHost

  private func append(_ name: String, to message: borrowing Message) throws(BusError) -> Bool {
    switch name {
    case "Version":
      try message.container(.variant, "s") { () throws(BusError) in try message.append(Release.version) }
    case "NPods":
      try message.container(.variant, "u") { () throws(BusError) in
        try message.append(UInt32(clamping: host.pods.count))
      }
    case "NUsers":
      let users = host.pods.values.reduce(0) { $0 + max(0, $1.record.users) }
      try message.container(.variant, "t") { () throws(BusError) in try message.append(UInt64(users)) }
    default: return false
    }
    return true
  }

  func answer(_ call: MethodCall) -> Bool {
    switch (call.member, call.signature) {
    case ("Get", "ss"):
      let name = try? call.arguments { m throws(BusError) in
        _ = try m.readString()
        return try m.readString()
      }
      guard let name, ["Version", "NPods", "NUsers"].contains(name) else {
        call.fail(BusError(name: "org.freedesktop.DBus.Error.UnknownProperty", message: "no such property"))
        return true
      }
      call.reply { m throws(BusError) in _ = try append(name, to: m) }
      return true
    case ("GetAll", "s"):
      call.reply { m throws(BusError) in
        try m.openContainer(.array, "{sv}")
        for name in ["Version", "NPods", "NUsers"] {
          try m.openContainer(.dictionaryEntry, "sv")
          try m.append(name)
          _ = try append(name, to: m)
          try m.closeContainer()
        }
        try m.closeContainer()
      }
      return true
    default: return false
    }
  }
}

import PodAPI
import PodStore
import Systemd

/// org.freedesktop.DBus.Properties of the manager object.
@LoopActor
struct ManagerProperties {
  let host: PodHost

  /// Returns false for a call that sd-bus shall refuse.
  func answer(_ call: MethodCall) -> Bool {
    switch (call.member, call.signature) {
    case ("Get", "ss"):
      get(call)
      return true
    case ("GetAll", "s"):
      getAll(call)
      return true
    default: return false
    }
  }

  private func get(_ call: MethodCall) {
    let name = try? call.arguments { message throws(BusError) in
      // The interface: no other one of the object has properties.
      _ = try message.readString()
      return try message.readString()
    }
    guard let property = name.flatMap({ ManagerProperty(rawValue: $0) }) else {
      return call.fail(
        BusError(name: "org.freedesktop.DBus.Error.UnknownProperty", message: "no such property"))
    }
    call.reply { message throws(BusError) in try append(property, to: message) }
  }

  private func getAll(_ call: MethodCall) {
    call.reply { message throws(BusError) in
      try message.openContainer(.array, "{sv}")
      for property in ManagerProperty.allCases {
        try message.openContainer(.dictionaryEntry, "sv")
        try message.append(property.name)
        try append(property, to: message)
        try message.closeContainer()
      }
      try message.closeContainer()
    }
  }

  private func append(_ property: ManagerProperty, to message: borrowing Message) throws(BusError) {
    try message.openContainer(.variant, property.signature)
    switch property {
    case .version: try message.append(Release.version)
    case .podCount: try message.append(UInt32(clamping: host.pods.count))
    case .userCount: try message.append(UInt64(host.pods.values.reduce(0) { $0 + max(0, $1.record.users) }))
    }
    try message.closeContainer()
  }
}

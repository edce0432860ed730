/// A D-Bus value whose type is known only when it is read, as in `a{sv}`.
public indirect enum Variant: Sendable, Equatable {
  case string(String)
  case bool(Bool)
  /// Any unsigned integer.
  case uint(UInt64)
  /// Any signed integer.
  case int(Int64)
  case double(Double)
  case array([Variant])
  case dictionary([(key: String, value: Variant)])

  public static func == (left: Variant, right: Variant) -> Bool {
    switch (left, right) {
    case (.string(let a), .string(let b)): a == b
    case (.bool(let a), .bool(let b)): a == b
    case (.uint(let a), .uint(let b)): a == b
    case (.int(let a), .int(let b)): a == b
    case (.double(let a), .double(let b)): a == b
    case (.array(let a), .array(let b)): a == b
    case (.dictionary(let a), .dictionary(let b)):
      a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    default: false
    }
  }

  /// The D-Bus signature with which it is sent: integers as `t` and `x`, arrays as `av`, dictionaries as
  /// `a{sv}`.
  var signature: String {
    switch self {
    case .string: "s"
    case .bool: "b"
    case .uint: "t"
    case .int: "x"
    case .double: "d"
    case .array(let items): items.allSatisfy { if case .string = $0 { true } else { false } } ? "as" : "av"
    case .dictionary: "a{sv}"
    }
  }
}

extension Message {
  /// Appends `a{sv}`, keys in the given order.
  public func append(_ dictionary: [(key: String, value: Variant)]) throws(BusError) {
    try openContainer(.array, "{sv}")
    for (key, value) in dictionary {
      try openContainer(.dictionaryEntry, "sv")
      try append(key)
      try append(variant: value)
      try closeContainer()
    }
    try closeContainer()
  }

  /// Appends one `v`.
  public func append(variant value: Variant) throws(BusError) {
    try openContainer(.variant, value.signature)
    switch value {
    case .string(let text): try append(text)
    case .bool(let flag): try append(flag)
    case .uint(let number): try append(number)
    case .int(let number): try append(int64: number)
    case .double(let number): try append(number)
    case .dictionary(let entries): try append(entries)
    case .array(let items):
      let strings = value.signature == "as"
      try openContainer(.array, strings ? "s" : "v")
      for item in items {
        if strings, case .string(let text) = item { try append(text) } else { try append(variant: item) }
      }
      try closeContainer()
    }
    try closeContainer()
  }

  /// Reads `a{sv}` in the order in which it was sent.
  public func readVariantDictionary() throws(BusError) -> [(key: String, value: Variant)] {
    guard case .dictionary(let entries) = try readValue(depth: 0) else {
      throw BusError(name: "org.freedesktop.DBus.Error.InvalidSignature", message: "a{sv} expected")
    }
    return entries
  }

  /// Reads the next value. A peer may nest values deeply, so the depth is bounded.
  func readValue(depth: Int) throws(BusError) -> Variant {
    guard depth < 16, let (type, contents) = try peekType() else {
      throw BusError(
        name: "org.freedesktop.DBus.Error.InvalidArgs", message: "value missing or nested too deep")
    }
    switch type {
    case TypeCode.string: return .string(try readString())
    case TypeCode.objectPath: return .string(try readObjectPath())
    case TypeCode.boolean: return .bool(try readBool())
    case TypeCode.uint16: return .uint(UInt64(try readUInt16()))
    case TypeCode.uint32: return .uint(UInt64(try readUInt32()))
    case TypeCode.uint64: return .uint(try readUInt64())
    case TypeCode.int32: return .int(Int64(try readInt32()))
    case TypeCode.int64: return .int(try readInt64())
    case TypeCode.double: return .double(try readDouble())
    case TypeCode.variant:
      _ = try enterContainer(.variant, contents)
      let value = try readValue(depth: depth + 1)
      try exitContainer()
      return value
    case TypeCode.array where contents.hasPrefix("{s"):
      var entries: [(key: String, value: Variant)] = []
      _ = try enterContainer(.array, contents)
      let pair = String(contents.dropFirst().dropLast())
      while try enterContainer(.dictionaryEntry, pair) {
        let key = try readString()
        entries.append((key, try readValue(depth: depth + 1)))
        try exitContainer()
      }
      try exitContainer()
      return .dictionary(entries)
    case TypeCode.array, TypeCode.structure:
      var items: [Variant] = []
      _ = try enterContainer(type == TypeCode.array ? .array : .structure, contents)
      while try atEnd() == false { items.append(try readValue(depth: depth + 1)) }
      try exitContainer()
      return .array(items)
    default:
      throw BusError(
        name: "org.freedesktop.DBus.Error.InvalidSignature", message: "unexpected type \(contents)")
    }
  }
}

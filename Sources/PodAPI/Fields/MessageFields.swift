internal import Systemd

// Values of org.podctl1 that stand for "no value".
extension Message {
  func enterStructure(_ signature: String) throws(BusError) {
    guard try enterContainer(.structure, signature) else {
      throw BusError(
        name: "org.freedesktop.DBus.Error.InvalidSignature",
        message: "podd answered with fewer fields than (\(signature)): are podctl and podd of one version?")
    }
  }

  func readOptionalString() throws(BusError) -> String? {
    let text = try readString()
    return text.isEmpty ? nil : text
  }

  /// - Parameter most: More are an error, and are not read.
  func readStrings(atMost most: Int = .max) throws(BusError) -> [String] {
    var strings: [String] = []
    try readArray(of: "s") { () throws(BusError) in
      guard strings.count < most else { throw .moreThan(most) }
      strings.append(try readString())
    }
    return strings
  }

  func append(_ strings: [String]) throws(BusError) {
    try openContainer(.array, "s")
    for string in strings { try append(string) }
    try closeContainer()
  }

  func readSize() throws(BusError) -> UInt64? {
    let size = try readUInt64()
    return size == PodBus.noSize ? nil : size
  }
}

extension FixedWidthInteger {
  var nonZero: Self? { self == 0 ? nil : self }
}

extension BusError {
  /// An array of a call is too long.
  static func moreThan(_ most: Int) -> BusError {
    BusError(name: "org.freedesktop.DBus.Error.InvalidArgs", message: "there are more than \(most) of them")
  }
}

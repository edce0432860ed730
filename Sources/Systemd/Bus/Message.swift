internal import CSystemd
internal import Glibc

/// One D-Bus message, owned: it is released with its owner.
public struct Message: ~Copyable {
  let raw: OpaquePointer
  /// The most bytes that ``readString()`` returns; nil for as many as there are.
  private let longestString: Int?

  /// Takes over one reference.
  init(owning raw: OpaquePointer) {
    self.raw = raw
    longestString = nil
  }

  /// Adds a reference to a message that libsystemd lends to a callback.
  init(borrowed raw: OpaquePointer, longestString: Int? = nil) {
    self.raw = sd_bus_message_ref(raw)
    self.longestString = longestString
  }

  deinit {
    sd_bus_message_unref(raw)
  }

  consuming func release() -> OpaquePointer {
    let raw = raw
    discard self
    return raw
  }

  public enum Container: Sendable {
    case array, structure, variant, dictionaryEntry

    var code: CChar {
      switch self {
      case .array: TypeCode.array
      case .structure: TypeCode.structure
      case .variant: TypeCode.variant
      case .dictionaryEntry: TypeCode.dictionaryEntry
      }
    }
  }

  // MARK: Envelope

  /// The sender's unique name; nil on a direct connection.
  public var sender: String? { sd_bus_message_get_sender(raw).map { String(cString: $0) } }
  public var path: String? { sd_bus_message_get_path(raw).map { String(cString: $0) } }
  public var interface: String? { sd_bus_message_get_interface(raw).map { String(cString: $0) } }
  public var member: String? { sd_bus_message_get_member(raw).map { String(cString: $0) } }
  public var signature: String { sd_bus_message_get_signature(raw, 1).map { String(cString: $0) } ?? "" }

  /// Whether the caller allows polkit to ask for a password.
  public var allowsInteractiveAuthorization: Bool {
    sd_bus_message_get_allow_interactive_authorization(raw) > 0
  }

  /// Allows the peer to use polkit interactively, as systemctl does on a terminal.
  public func setAllowInteractiveAuthorization(_ allow: Bool) {
    sd_bus_message_set_allow_interactive_authorization(raw, allow ? 1 : 0)
  }

  /// Whether the bus starts a peer that does not run (on unless it is turned off).
  public func setAutoStart(_ start: Bool) {
    sd_bus_message_set_auto_start(raw, start ? 1 : 0)
  }

  // MARK: Writing

  public func append(_ value: String) throws(BusError) {
    try busCheck(value.withCString { sd_bus_message_append_basic(raw, TypeCode.string, $0) }, "append string")
  }
  public func append(_ value: Bool) throws(BusError) {
    var value: CInt = value ? 1 : 0
    try busCheck(sd_bus_message_append_basic(raw, TypeCode.boolean, &value), "append boolean")
  }
  public func append(_ value: UInt16) throws(BusError) {
    var value = value
    try busCheck(sd_bus_message_append_basic(raw, TypeCode.uint16, &value), "append uint16")
  }
  public func append(_ value: UInt32) throws(BusError) {
    var value = value
    try busCheck(sd_bus_message_append_basic(raw, TypeCode.uint32, &value), "append uint32")
  }
  public func append(_ value: UInt64) throws(BusError) {
    var value = value
    try busCheck(sd_bus_message_append_basic(raw, TypeCode.uint64, &value), "append uint64")
  }
  public func append(_ value: Int32) throws(BusError) {
    var value = value
    try busCheck(sd_bus_message_append_basic(raw, TypeCode.int32, &value), "append int32")
  }
  public func append(int64 value: Int64) throws(BusError) {
    var value = value
    try busCheck(sd_bus_message_append_basic(raw, TypeCode.int64, &value), "append int64")
  }
  public func append(_ value: Double) throws(BusError) {
    var value = value
    try busCheck(sd_bus_message_append_basic(raw, TypeCode.double, &value), "append double")
  }
  public func append(bytes: [UInt8]) throws(BusError) {
    let result = bytes.withUnsafeBytes {
      sd_bus_message_append_array(raw, TypeCode.byte, $0.baseAddress, $0.count)
    }
    try busCheck(result, "append bytes")
  }

  public func openContainer(_ kind: Container, _ contents: String) throws(BusError) {
    try busCheck(sd_bus_message_open_container(raw, kind.code, contents), "open container \(contents)")
  }
  public func closeContainer() throws(BusError) {
    try busCheck(sd_bus_message_close_container(raw), "close container")
  }

  /// Opens a container, calls `body` to fill it, and closes it.
  public func container(
    _ kind: Container, _ contents: String, _ body: () throws(BusError) -> Void
  ) throws(BusError) {
    try openContainer(kind, contents)
    try body()
    try closeContainer()
  }

  // MARK: Reading

  public func readString() throws(BusError) -> String {
    var value: UnsafePointer<CChar>?
    try expect(sd_bus_message_read_basic(raw, TypeCode.string, &value), "string")
    if let longestString, let value, strnlen(value, longestString + 1) > longestString {
      throw BusError(
        name: "org.freedesktop.DBus.Error.InvalidArgs",
        message: "an argument is longer than \(longestString) bytes; a user name has at most 254", code: E2BIG
      )
    }
    return value.map { String(cString: $0) } ?? ""
  }
  public func readObjectPath() throws(BusError) -> String {
    var value: UnsafePointer<CChar>?
    try expect(sd_bus_message_read_basic(raw, TypeCode.objectPath, &value), "object path")
    return value.map { String(cString: $0) } ?? ""
  }
  public func readBool() throws(BusError) -> Bool {
    var value: CInt = 0
    try expect(sd_bus_message_read_basic(raw, TypeCode.boolean, &value), "boolean")
    return value != 0
  }
  public func readUInt16() throws(BusError) -> UInt16 {
    var value: UInt16 = 0
    try expect(sd_bus_message_read_basic(raw, TypeCode.uint16, &value), "uint16")
    return value
  }
  public func readUInt32() throws(BusError) -> UInt32 {
    var value: UInt32 = 0
    try expect(sd_bus_message_read_basic(raw, TypeCode.uint32, &value), "uint32")
    return value
  }
  public func readUInt64() throws(BusError) -> UInt64 {
    var value: UInt64 = 0
    try expect(sd_bus_message_read_basic(raw, TypeCode.uint64, &value), "uint64")
    return value
  }
  public func readInt32() throws(BusError) -> Int32 {
    var value: Int32 = 0
    try expect(sd_bus_message_read_basic(raw, TypeCode.int32, &value), "int32")
    return value
  }
  public func readInt64() throws(BusError) -> Int64 {
    var value: Int64 = 0
    try expect(sd_bus_message_read_basic(raw, TypeCode.int64, &value), "int64")
    return value
  }
  public func readDouble() throws(BusError) -> Double {
    var value: Double = 0
    try expect(sd_bus_message_read_basic(raw, TypeCode.double, &value), "double")
    return value
  }
  /// The bytes of an `ay`.
  public func readBytes() throws(BusError) -> [UInt8] {
    var start: UnsafeRawPointer?
    var count = 0
    try busCheck(sd_bus_message_read_array(raw, TypeCode.byte, &start, &count), "read bytes")
    guard let start else { return [] }
    return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
  }

  /// False at the end of the surrounding array.
  public func enterContainer(_ kind: Container, _ contents: String) throws(BusError) -> Bool {
    try busCheck(sd_bus_message_enter_container(raw, kind.code, contents), "enter \(contents)") > 0
  }
  public func exitContainer() throws(BusError) {
    try busCheck(sd_bus_message_exit_container(raw), "exit container")
  }
  public func skip(_ types: String) throws(BusError) {
    try busCheck(sd_bus_message_skip(raw, types), "skip \(types)")
  }

  /// The next element's type character and, for a container, its contents; nil at the end.
  public func peekType() throws(BusError) -> (type: CChar, contents: String)? {
    var type: CChar = 0
    var contents: UnsafePointer<CChar>?
    guard try busCheck(sd_bus_message_peek_type(raw, &type, &contents), "peek") > 0 else { return nil }
    return (type, contents.map { String(cString: $0) } ?? "")
  }

  /// Reads every element of an array of `contents` with `body`.
  public func readArray(of contents: String, _ body: () throws(BusError) -> Void) throws(BusError) {
    guard try enterContainer(.array, contents) else {
      throw BusError(-ENXIO, "array of \(contents) expected")
    }
    while try atEnd() == false { try body() }
    try exitContainer()
  }

  func atEnd() throws(BusError) -> Bool {
    try busCheck(sd_bus_message_at_end(raw, 0), "at end") > 0
  }

  private func expect(_ result: CInt, _ type: String) throws(BusError) {
    if result == 0 { throw BusError(-ENXIO, "\(type) expected, message ended") }
    try busCheck(result, "read \(type)")
  }
}

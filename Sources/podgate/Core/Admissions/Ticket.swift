/// Names an admitted request to nginx, whose log says it again when the request has ended.
struct Ticket: Equatable {
  /// The request's place in the table of ``Admissions``.
  let place: Int
  /// No two requests since the host was booted have the same one.
  let serial: UInt64

  init(place: Int, serial: UInt64) {
    self.place = place
    self.serial = serial
  }

  /// Reads `PLACE-SERIAL`.
  init?(_ text: ArraySlice<UInt8>) {
    let parts = text.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard parts.count == 2, let place = Int(String(decoding: parts[0], as: UTF8.self)), place >= 0,
      let serial = UInt64(String(decoding: parts[1], as: UTF8.self))
    else { return nil }
    self.init(place: place, serial: serial)
  }

  /// Adds `PLACE-SERIAL`.
  func append(to bytes: inout [UInt8]) {
    Self.append(UInt64(place), to: &bytes)
    bytes.append(UInt8(ascii: "-"))
    Self.append(serial, to: &bytes)
  }

  /// In decimal, without a text for each number: this is done for each request.
  private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
    let start = bytes.count
    var rest = number
    repeat {
      bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    bytes[start...].reverse()
  }
}

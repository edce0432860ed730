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

  var text: String { "\(place)-\(serial)" }
}

import PodModel
import Time

/// An hour of a pod's minutes as bytes: a version, then for each minute a mask of the figures that differ
/// from the minute before, and the differences as zigzag varints (protobuf.dev, "Encoding"). Most figures of
/// most pods stay the same, and cost nothing.
///
/// Sizes are in pages of 4 kB, in which the kernel counts everything except slab.
enum PackedMinutes {
  private static let version: UInt8 = 1
  private static let page: UInt64 = 4096
  /// The longest varint of 64 bits.
  private static let longest = 10

  /// - Parameter minutes: in the order of time.
  static func encode(_ minutes: [MemoryMinute]) -> [UInt8] {
    var bytes = [version]
    bytes.reserveCapacity(1 + minutes.count * 12)
    var last = Fields.start
    for minute in minutes {
      let fields = Fields(minute)
      // The usual case is the next minute.
      last.values[0] &+= 1
      var mask: UInt64 = 0
      for index in fields.values.indices where fields.values[index] != last.values[index] {
        mask |= 1 << UInt64(index)
      }
      append(mask, to: &bytes)
      for index in fields.values.indices where mask & 1 << UInt64(index) != 0 {
        let difference = fields.values[index] &- last.values[index]
        append(UInt64(bitPattern: (difference << 1) ^ (difference >> 63)), to: &bytes)
      }
      last = fields
    }
    return bytes
  }

  /// Decodes up to the first invalid byte, which ``encode(_:)`` never writes.
  static func decode(_ bytes: [UInt8]) -> [MemoryMinute] {
    guard bytes.first == version else { return [] }
    var minutes: [MemoryMinute] = []
    var offset = 1
    var last = Fields.start
    while offset < bytes.count {
      last.values[0] &+= 1
      guard let mask = read(bytes, &offset), mask < 1 << UInt64(last.values.count) else { break }
      for index in last.values.indices where mask & 1 << UInt64(index) != 0 {
        guard let raw = read(bytes, &offset) else { return minutes }
        last.values[index] &+= Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
      }
      guard let minute = last.minute else { break }
      minutes.append(minute)
    }
    return minutes
  }

  private struct Fields {
    var values: [Int64]

    static let start = Fields(values: [Int64](repeating: 0, count: 11))

    private init(values: [Int64]) { self.values = values }

    init(_ minute: MemoryMinute) {
      func pages(_ bytes: UInt64) -> Int64 { Int64(clamping: bytes / page) }
      values = [
        minute.minute, Int64(minute.generation), pages(minute.anon), pages(minute.swap), pages(minute.file),
        pages(minute.current), pages(minute.currentMax) - pages(minute.current), Int64(minute.activeUsers),
        Int64(clamping: minute.stalledSome.count), Int64(clamping: minute.stalledFull.count),
        Int64(clamping: minute.cpu.count),
      ]
    }

    /// Nil for a figure that no minute can have.
    var minute: MemoryMinute? {
      func size(_ pages: Int64) -> UInt64? {
        pages < 0 ? nil : UInt64(pages).multipliedReportingOverflow(by: page).partialValue
      }
      guard let anon = size(values[2]), let swap = size(values[3]), let file = size(values[4]),
        let current = size(values[5]), let most = size(values[5] &+ values[6]),
        values[1] >= 0, values[7] >= 0, values[8] >= 0, values[9] >= 0, values[10] >= 0
      else { return nil }
      return MemoryMinute(
        minute: values[0], generation: Int(values[1]), anon: anon, swap: swap, file: file, current: current,
        currentMax: most, activeUsers: Int(values[7]), stalledSome: Microseconds(UInt64(values[8])),
        stalledFull: Microseconds(UInt64(values[9])), cpu: Microseconds(UInt64(values[10])))
    }
  }

  private static func append(_ value: UInt64, to bytes: inout [UInt8]) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private static func read(_ bytes: [UInt8], _ offset: inout Int) -> UInt64? {
    var value: UInt64 = 0
    for shift in 0..<longest {
      guard offset < bytes.count else { return nil }
      let byte = bytes[offset]
      offset += 1
      value |= UInt64(byte & 0x7F) << UInt64(7 * shift)
      if byte & 0x80 == 0 { return value }
    }
    return nil
  }
}

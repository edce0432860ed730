/// Sizes and growth rates for people, in powers of 1024.
public enum ByteSize {
  /// `41.2M`, `96M`, `512B`: one decimal unless it is zero.
  public static func text(_ bytes: UInt64) -> String {
    for (letter, shift) in [("E", UInt64(60)), ("P", 50), ("T", 40), ("G", 30), ("M", 20), ("K", 10)] {
      guard bytes >> shift > 0 else { continue }
      let tenth = (bytes >> (shift - 10)) % 1024 * 10 / 1024
      return tenth == 0 ? "\(bytes >> shift)\(letter)" : "\(bytes >> shift).\(tenth)\(letter)"
    }
    return "\(bytes)B"
  }

  /// A growth rate: `5.2M/h`, and from a mebibyte per second on `1.5M/s`.
  public static func rate(_ bytesPerSecond: Double) -> String {
    let sign = bytesPerSecond < 0 ? "-" : ""
    let size = min(bytesPerSecond.magnitude, 1e15)
    return size >= 1_048_576 ? "\(sign)\(text(UInt64(size)))/s" : "\(sign)\(text(UInt64(size * 3600)))/h"
  }
}

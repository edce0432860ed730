public import Time

/// One sample of a cgroup's memory; bytes.
public struct MemoryReading: Equatable, Sendable {
  /// Four figures of `memory.stat`.
  public var anon: UInt64 = 0
  public var file: UInt64 = 0
  public var shmem: UInt64 = 0
  public var slabUnreclaimable: UInt64 = 0
  /// `memory.current`.
  public var current: UInt64 = 0
  /// `memory.swap.current`; 0 on a kernel without swap accounting.
  public var swap: UInt64 = 0

  public init() {}
}

/// Samples hundreds of cgroups through one buffer, without building a table of keys for each.
public final class MemoryReader {
  /// memory.stat has about 1.7 kB on Linux 6.12, and the figures that are read here are in its first half.
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)

  public init() {}

  deinit {
    buffer.deallocate()
  }

  /// Throws `.gone` when the cgroup has vanished, and `.malformed` for a memory.stat that lacks a figure.
  public func read(_ cgroup: borrowing Cgroup) throws(CgroupError) -> MemoryReading {
    var reading = MemoryReading()
    let stat = UnsafeRawBufferPointer(
      rebasing: buffer[..<(try cgroup.read(InterfaceFile.memoryStat, into: buffer))])
    guard CgroupFiles.memoryStat(stat, into: &reading) else {
      throw .malformed(
        path: "\(cgroup.path)/\(InterfaceFile.memoryStat)", line: "anon, file, shmem or slab_unreclaimable")
    }
    reading.current = try number(InterfaceFile.memoryCurrent, cgroup) ?? 0
    do throws(CgroupError) {
      reading.swap = try number(InterfaceFile.memorySwapCurrent, cgroup) ?? 0
    } catch {
      // No such file without swap accounting. A cgroup that is gone has no memory.current either.
    }
    return reading
  }

  /// `usage_usec`, the first line of cpu.stat.
  public func cpuUsage(_ cgroup: borrowing Cgroup) -> Microseconds? {
    guard let used = try? cgroup.read(InterfaceFile.cpuStat, into: buffer) else { return nil }
    let text = UnsafeRawBufferPointer(rebasing: buffer[..<used])
    var found: Microseconds?
    CgroupFiles.eachPair(text) { key, value in
      guard key.elementsEqual("usage_usec".utf8) else { return true }
      found = Microseconds(value)
      return false
    }
    return found
  }

  /// `total=` of the line `full` of memory.pressure; zero where the kernel keeps none.
  public func stalled(_ cgroup: borrowing Cgroup) throws(CgroupError) -> Microseconds {
    let used = try cgroup.read(InterfaceFile.memoryPressure, into: buffer)
    let text = String(decoding: buffer[..<used], as: UTF8.self)
    return try CgroupFiles.pressure(text, path: "\(cgroup.path)/\(InterfaceFile.memoryPressure)").full?.total
      ?? .zero
  }

  /// A file with one number; nil for `max`.
  public func number(_ name: String, _ cgroup: borrowing Cgroup) throws(CgroupError) -> UInt64? {
    let used = try cgroup.read(name, into: buffer)
    return CgroupFiles.decimal(buffer[..<used].prefix { $0 != UInt8(ascii: "\n") })
  }
}

extension CgroupFiles {
  /// Reads four figures of memory.stat; false when one of them is missing.
  static func memoryStat(_ text: UnsafeRawBufferPointer, into reading: inout MemoryReading) -> Bool {
    var missing = 4
    eachPair(text) { key, value in
      // The length comes first, because it rules out most of the fifty lines.
      switch key.count {
      case 4 where key.elementsEqual("anon".utf8): reading.anon = value
      case 4 where key.elementsEqual("file".utf8): reading.file = value
      case 5 where key.elementsEqual("shmem".utf8): reading.shmem = value
      case 18 where key.elementsEqual("slab_unreclaimable".utf8): reading.slabUnreclaimable = value
      default: return true
      }
      missing -= 1
      return missing > 0
    }
    return missing == 0
  }

  /// Calls `body` with each line `KEY NUMBER` until it returns false; other lines are skipped.
  public static func eachPair(
    _ text: UnsafeRawBufferPointer, _ body: (_ key: Slice<UnsafeRawBufferPointer>, _ value: UInt64) -> Bool
  ) {
    var start = 0
    while start < text.count {
      var space: Int?
      var end = start
      while end < text.count, text[end] != UInt8(ascii: "\n") {
        if text[end] == UInt8(ascii: " "), space == nil { space = end }
        end += 1
      }
      if let space, let value = decimal(text[(space + 1)..<end]), !body(text[start..<space], value) { return }
      start = end + 1
    }
  }

  static func decimal(_ digits: some Collection<UInt8>) -> UInt64? {
    guard !digits.isEmpty else { return nil }
    var value: UInt64 = 0
    for byte in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
      let (tens, overflowed) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflowedToo) = tens.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
      if overflowed || overflowedToo { return nil }
      value = sum
    }
    return value
  }
}

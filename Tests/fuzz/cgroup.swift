// sources: Sources/Cgroup/{CgroupFiles,CgroupError}.swift
// modules: Time

/// Passes any text to every parser of cgroup files. Nothing may crash, an error must be one short printable line, and
/// the two ways to read a flat keyed file must agree.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCgroup(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let text = String(decoding: UnsafeBufferPointer(start: data, count: size), as: UTF8.self)
  do throws(CgroupError) {
    if let limit = try CgroupFiles.limit(text, path: "f") {
      let number = try CgroupFiles.number(text, path: "f")
      let again = try CgroupFiles.limit(String(limit) + "\n")
      precondition(number == limit && again == limit)
    }
  } catch {
    check(error)
  }
  do throws(CgroupError) { _ = try CgroupFiles.cpuMax(text, path: "f") } catch { check(error) }
  do throws(CgroupError) {
    for (key, value) in try CgroupFiles.flatKeyed(text, path: "f") {
      // Only lines as the kernel writes them: one space, and one line per key.
      let lines = text.split(separator: "\n").filter {
        $0.split(separator: " ").first.map(String.init) == key
      }
      guard lines.count == 1, lines[0] == "\(key) \(value)" else { continue }
      precondition(CgroupFiles.value(of: key, in: text) == value)
    }
  } catch {
    check(error)
  }
  do throws(CgroupError) {
    let (some, full) = try CgroupFiles.pressure(text, path: "f")
    for line in [some, full ?? some] {
      precondition(line.avg10.isFinite && line.avg60.isFinite && line.avg300.isFinite)
    }
  } catch {
    check(error)
  }
  _ = CgroupFiles.value(of: "populated", in: text)
  return 0
}

private func check(_ error: CgroupError) {
  let text = error.description
  precondition(text.utf8.count < 1_200)
  precondition(!text.utf8.contains { $0 < 0x20 || $0 == 0x7F })
}

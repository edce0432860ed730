import Glibc
import PodModel
import Systemd
import Testing

@testable import PoddCore

@Suite struct SettingsTableTests {
  private let root = SettingsRoot()

  /// Reads one file, which holds a number.
  private func reading(_ name: String, _ count: inout Int) -> SettingsTable<Int>.Reading {
    count += 1
    var stamps = FileStamps()
    let path = "\(root.path)/etc/podctl/\(name)"
    let read = stamps.reading(path) { () throws(Errno) in
      try FileDescriptor.open(path, O_RDONLY).readAll(limit: 100)
    }
    guard case .success(let bytes) = read else { return (nil, stamps) }
    guard let number = Int(String(decoding: bytes, as: UTF8.self)) else {
      return (.failure(SettingsErrors(SettingsError(file: path, message: "no number"))), stamps)
    }
    return (.success(number), stamps)
  }

  @Test func aFileAtRestIsReadOnceAndAReloadReadsItAgain() throws {
    root.write("one", "1")
    var table = SettingsTable<Int>()
    var reads = 0
    // Younger than the time stamps can tell apart: it is read each time.
    #expect(try table.inForce("one", { reading("one", &reads) }) == 1)
    #expect(try table.inForce("one", { reading("one", &reads) }) == 1)
    #expect(reads == 2)
    table.reportMistakes(["one"]) { reading($0, &reads) }
    #expect(reads == 3)
  }

  @Test func namesThatAreGoneAreForgotten() {
    root.write("one", "1")
    var table = SettingsTable<Int>()
    var reads = 0
    table.reportMistakes(["one"]) { reading($0, &reads) }
    #expect(table.last("one") == 1)
    root.write("two", "?")
    table.reportMistakes(["two"]) { reading($0, &reads) }
    #expect(table.last("one") == nil)
    #expect(table.reported.keys.sorted() == ["two"])
    table.reportMistakes([]) { reading($0, &reads) }
    #expect(table.reported.isEmpty)
  }

  /// A drop-in directory that is not there has no stamp: it cannot come without a change of the directory above.
  @Test func aDirectoryChangesWhenADirectoryComesIntoIt() {
    root.write("tiers/free.conf", "[Tier]\n")
    let directory = "\(root.path)/etc/podctl/tiers"
    var stamps = FileStamps()
    let read = stamps.reading(directory) { () throws(Errno) in try Files.names(in: directory) }
    #expect((try? read.get()) == ["free.conf"])
    #expect(stamps.areCurrent)
    // Again and again, because the clock of time stamps is coarse.
    var attempts = 0
    while stamps.areCurrent, attempts < 1_000_000 {
      mkdir("\(directory)/free.conf.d", 0o755)
      rmdir("\(directory)/free.conf.d")
      attempts += 1
    }
    #expect(!stamps.areCurrent)
  }
}

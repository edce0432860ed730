import Glibc
import PodModel
import Testing

@testable import PoddCore

/// When podd must not believe its database.
@Suite struct DatabaseDoubtTests {
  private static let file = "/var/lib/podctl/podctl.db"

  private static func unit(_ pod: Int, _ generation: Int) -> UnitName {
    UnitName(pod: PodName(number: pod), generation: generation)
  }

  private static func doubt(
    pristine: Bool = false, _ last: [Int: Int], running: [UnitName] = [], directories: [Int] = []
  ) -> String? {
    let signs = DatabaseDoubt.Signs(running: running, directories: directories.map { PodName(number: $0) })
    let known = Dictionary(uniqueKeysWithValues: last.map { (PodName(number: $0.key), $0.value) })
    do throws(DatabaseDoubt) {
      try DatabaseDoubt.check(file, isPristine: pristine, lastGenerations: known, signs)
      return nil
    } catch {
      return error.description
    }
  }

  @Test func aDatabaseThatKnowsWhatRunsIsRight() {
    #expect(
      Self.doubt([1: 3, 2: 1], running: [Self.unit(1, 3), Self.unit(2, 1)], directories: [1, 2, 3]) == nil)
    // An earlier generation that is still being stopped.
    #expect(Self.doubt([1: 3], running: [Self.unit(1, 2)]) == nil)
    #expect(Self.doubt(pristine: true, [:]) == nil)
    // Pods are removed when their first launch fails, and their directories may stay.
    #expect(Self.doubt([:], directories: [1]) == nil)
  }

  @Test func anOlderOneIsRefusedBeforeItStopsWhatItDoesNotKnow() {
    for last in [[1: 2], [2: 9], [:]] {
      let words = Self.doubt(last, running: [Self.unit(1, 3)])
      #expect(
        words?.contains("is older than what runs") == true && words?.contains("pod-001-3.scope") == true)
      #expect(words?.contains("systemctl mask --runtime podd.service") == true)
    }
  }

  @Test func anEmptyOneIsRefusedWhereThereArePods() {
    #expect(Self.doubt(pristine: true, [:], running: [Self.unit(1, 3)])?.contains("is empty") == true)
    let words = Self.doubt(pristine: true, [:], directories: [4])
    #expect(words?.contains("/var/lib/podctl/pods/pod-004 exists") == true)
  }

  @Test func aMissingOneIsNotMadeWhereThereArePods() throws {
    var template = Array("/tmp/podd-doubt-XXXXXX".utf8CString)
    let directory = try #require(
      template.withUnsafeMutableBufferPointer {
        $0.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
      })
    let file = "\(directory)/podctl.db"
    defer {
      unlink(file)
      rmdir(directory)
    }
    let signs = DatabaseDoubt.Signs(running: [], directories: [PodName(number: 1), PodName(number: 2)])
    let nothing = DatabaseDoubt.Signs(running: [], directories: [])
    #expect(throws: DatabaseDoubt.self) { try DatabaseDoubt.checkFile(file, signs) }
    try DatabaseDoubt.checkFile(file, nothing)
    // Made and never written, as a crash of the first start leaves it.
    close(open(file, O_CREAT | O_WRONLY, 0o600))
    #expect(throws: DatabaseDoubt.self) { try DatabaseDoubt.checkFile(file, signs) }
    let written = open(file, O_WRONLY)
    #expect(write(written, "x", 1) == 1)
    close(written)
    try DatabaseDoubt.checkFile(file, signs)
  }
}

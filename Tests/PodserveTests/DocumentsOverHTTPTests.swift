import Glibc
import Testing

@testable import PodserveCore

@Suite struct DocumentsOverHTTPTests {
  @Test func answersAreThoseOfSQ() throws {
    let harness = try Harness()
    #expect(try harness.get("version").text == podserveVersion)
    #expect(try harness.get("insert?p=a&c=1.1.1/1.1.1/1.1.2&s=h%C3%B6+1").text == "Inserted 5 bytes")
    #expect(try harness.get("insert?p=a&c=1.1.1;1.1.1;1.1.2&s=23").text == "Inserted 2 bytes")
    #expect(try harness.get("select?p=a&c=1.1.1/1.1.1/1.1.2").text == "hö 123")
    #expect(try harness.post("update?p=a&c=2.1.1/1.1.1/1.1.1", "line\nmore".utf8).text == "Updated 9 bytes")
    #expect(
      try harness.get("toc?p=a").text == "* 1.1.1/1.1.1/1.1.2: hö 123\n* 2.1.1/1.1.1/1.1.1: line...\n")
    #expect(try harness.get("delete?p=a&c=1.1.1/1.1.1/1.1.2").text == "Removed 7 bytes")
    #expect(try harness.get("delete?p=a&c=1.1.1/1.1.1/1.1.2").text == "Removed 0 bytes")
    #expect(harness.content(of: "alice/a.phext") == [0x01] + Array("line\nmore".utf8))
  }

  @Test func readingADocumentThatIsNotThereMakesNone() throws {
    let harness = try Harness()
    for command in ["select", "toc", "delete"] { #expect(try harness.get("\(command)?p=new").status == 200) }
    #expect(try harness.get("update?p=new&s=").text == "Updated 0 bytes")
    #expect(harness.files(of: "alice") == [])
  }

  @Test func theTokenAloneChoosesTheUser() throws {
    let harness = try Harness()
    _ = try harness.get("insert?p=a&s=of-bob", token: "B")
    #expect(try harness.get("select?p=a", token: "A").text == "")
    #expect(try harness.get("select?p=a", token: "B").text == "of-bob")
    for token in ["", "C", "AB", "a"] { #expect(try harness.get("select?p=a", token: token).status == 401) }
    let client = harness.connect()
    client.send("GET /api/v2/select?p=a HTTP/1.1\r\nHost: h\r\nX-User-ID: bob\r\n\r\n")
    let response = try #require(client.response())
    #expect(response.status == 401 && response.head.contains("WWW-Authenticate: Bearer"))
  }

  @Test(arguments: [
    "", "..", "../alice/a", "a/b", "%2e%2e", "a%2Fb", "a%00", "a%0A", ".hidden", "a..b", "a%5Cb", "%FF",
    String(repeating: "x", count: 201),
  ])
  func badNamesAre400(name: String) throws {
    let harness = try Harness()
    #expect(try harness.get("insert?p=\(name)&s=x").status == 400)
    #expect(try harness.get("select?p=\(name)").status == 400)
    #expect(harness.files(of: "alice") == [])
  }

  @Test(arguments: [
    ("insert?p=a", 400), ("insert?p=a&s=%17", 400), ("insert?p=a&s=%FF", 400), ("insert?p=a&s=%C3", 400),
    ("insert?p=a&c=0.1.1/1.1.1/1.1.1&s=x", 400), ("insert?p=a&c=1.1.1/1.1.1/1.1.100&s=x", 400),
    ("insert?p=a&p=b&s=x", 400), ("insert?p=a&s=%", 400), ("insertX?p=a&s=x", 404), ("?p=a", 404),
    ("reload", 404), ("insert/?p=a&s=x", 404),
  ])
  func badRequestsChangeNothing(query: String, status: Int) throws {
    let harness = try Harness()
    #expect(try harness.get(query).status == status)
    #expect(harness.files(of: "alice") == [])
  }

  @Test func theLastCoordinateIsServed() throws {
    let harness = try Harness()
    let last = "99.99.99/99.99.99/99.99.99"
    #expect(try harness.get("insert?p=a&c=\(last)&s=end").status == 200)
    #expect(try harness.get("select?p=a&c=\(last)").text == "end")
    #expect(harness.content(of: "alice/a.phext")?.count == 9 * 98 + 3)
  }

  @Test func aLargeTextComesBackAsItWas() throws {
    let harness = try Harness()
    let text = Array((0..<120_000).map { "line \($0)" }.joined(separator: "\n").utf8)
    #expect(try harness.post("update?p=big&c=1.1.1/1.1.1/1.1.2", text).text == "Updated \(text.count) bytes")
    _ = try harness.get("insert?p=big&c=1.1.1/1.1.1/1.1.1&s=before")
    _ = try harness.get("insert?p=big&c=1.1.1/1.1.1/1.1.3&s=after")
    #expect(try harness.get("select?p=big&c=1.1.1/1.1.1/1.1.2").body == text)
    #expect(try harness.get("select?p=big&c=1.1.1/1.1.1/1.1.3").text == "after")
    #expect(harness.files(of: "alice") == ["big.phext"])
  }

  @Test func symbolicLinksAndSpecialFilesAreRefused() throws {
    let harness = try Harness()
    harness.write("secret", to: "bob/secret.phext")
    symlink("\(harness.root)/bob/secret.phext", "\(harness.root)/alice/link.phext")
    mkfifo("\(harness.root)/alice/fifo.phext", 0o600)
    for name in ["link", "fifo"] {
      #expect(try harness.get("select?p=\(name)").status == 403)
      #expect(try harness.get("toc?p=\(name)").status == 403)
      #expect(try harness.get("insert?p=\(name)&s=x").status == 403)
      #expect(try harness.post("update?p=\(name)", "x".utf8).status == 403)
    }
    #expect(harness.content(of: "bob/secret.phext") == Array("secret".utf8))
  }

  @Test func aMissingDirectoryIsNamedAndNotMade() throws {
    let harness = try Harness()
    let response = try harness.get("insert?p=a&s=x", token: "G")
    #expect(response.status == 500 && response.text.contains("\(harness.root)/missing"))
    #expect(access("\(harness.root)/missing", F_OK) != 0)
  }

  @Test func theDataLimitCountsAllDocumentsAndLetsThemShrink() throws {
    let harness = try Harness(dataMax: 100)
    #expect(try harness.get("insert?p=a&s=\(String(repeating: "x", count: 60))").status == 200)
    #expect(try harness.get("insert?p=b&s=\(String(repeating: "y", count: 41))").status == 507)
    #expect(try harness.post("insert?p=b", [UInt8](repeating: 0x79, count: 101)).status == 507)
    #expect(harness.files(of: "alice") == ["a.phext"])
    #expect(try harness.get("insert?p=b&s=\(String(repeating: "y", count: 40))").status == 200)
    #expect(try harness.get("insert?p=a&s=z").status == 507)
    #expect(try harness.get("update?p=a&s=z").status == 200)
    harness.write(String(repeating: "w", count: 500), to: "alice/c.phext")
    #expect(try harness.get("update?p=c&s=\(String(repeating: "w", count: 400))").status == 200)
    #expect(try harness.get("delete?p=c").status == 200)
  }

  @Test func aDocumentHasALimit() throws {
    var storage = StorageLimits()
    storage.document = 1000
    storage.documents = 2
    let harness = try Harness(storage: storage)
    let text = [UInt8](repeating: 0x78, count: 999)
    #expect(try harness.post("insert?p=a", text).status == 200)
    #expect(try harness.post("insert?p=a", "12".utf8).status == 413)
    #expect(try harness.post("insert?p=b", text + text).status == 413)
    #expect(try harness.get("insert?p=b&s=x").status == 200)
    #expect(try harness.get("insert?p=c&s=x").status == 507)
    #expect(harness.content(of: "alice/a.phext") == text)
  }

  @Test(.enabled(if: geteuid() == 0, "mounting a tmpfs needs root"))
  func aFullDiskIs507AndChangesNothing() throws {
    var template = Array("/tmp/podserve-full.XXXXXX".utf8CString)
    let mountPoint = String(cString: try #require(mkdtemp(&template)))
    try #require(mount("tmpfs", mountPoint, "tmpfs", 0, "size=256k") == 0)
    defer {
      umount2(mountPoint, Int32(MNT_DETACH))
      rmdir(mountPoint)
    }
    let harness = try Harness(under: mountPoint)
    let text = [UInt8](repeating: 0x78, count: 100_000)
    #expect(try harness.post("update?p=a", text).status == 200)
    // The text fits beside the old document, the new document does not fit beside both.
    #expect(try harness.post("insert?p=a", text).status == 507)
    #expect(try harness.post("update?p=b", text + text).status == 507)
    #expect(harness.content(of: "alice/a.phext") == text)
    #expect(harness.files(of: "alice") == ["a.phext"])
    #expect(try harness.get("insert?p=a&s=!").status == 200)
    #expect(try harness.get("select?p=a").body == text + Array("!".utf8))
  }

  @Test func aDamagedDocumentIsReportedAndLeftAlone() throws {
    let harness = try Harness()
    let document = String(repeating: "\u{17}", count: 99) + "x"
    harness.write(document, to: "alice/d.phext")
    #expect(try harness.get("select?p=d&c=1.1.1/1.1.2/1.1.1").status == 500)
    #expect(try harness.get("insert?p=d&c=1.1.1/1.1.2/1.1.1&s=y").status == 500)
    #expect(harness.content(of: "alice/d.phext") == Array(document.utf8))
  }
}

@Suite struct ReplaceTests {
  @Test func nobodySeesHalfADocument() throws {
    let harness = try Harness()
    let name = try #require(DocumentName(Array("a".utf8)))
    harness.write("old", to: "alice/a.phext")
    let directory = try UserDirectory(path: "\(harness.root)/alice")
    #expect(throws: StorageError.full("x")) {
      try directory.replace(name) { (file) throws(StorageError) in
        _ = Array("half".utf8).withUnsafeBytes { file.write($0) }
        #expect(harness.content(of: "alice/a.phext") == Array("old".utf8))
        throw .full("x")
      }
    }
    #expect(harness.content(of: "alice/a.phext") == Array("old".utf8))
    #expect(harness.files(of: "alice") == ["a.phext"])
  }

  @Test func whatACrashLeftIsNeitherServedNorInTheWay() throws {
    let harness = try Harness()
    harness.write("half", to: "alice/.a.phext.tmp")
    #expect(try harness.get("select?p=a").text == "")
    #expect(try harness.get("insert?p=a&s=whole").status == 200)
    #expect(harness.files(of: "alice") == ["a.phext"])
    symlink("/etc/hostname", "\(harness.root)/alice/.a.phext.tmp")
    #expect(try harness.get("insert?p=a&s=!").status == 200)
    #expect(try harness.get("select?p=a").text == "whole!")
  }

  @Test func aReaderKeepsTheDocumentItOpened() throws {
    let harness = try Harness()
    let text = [UInt8](repeating: 0x61, count: 8_000_000)
    #expect(try harness.post("update?p=a", text).status == 200)
    let slow = harness.connect()
    slow.send("GET /api/v2/select?p=a HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer A\r\n\r\n")
    harness.settle()
    #expect(try harness.get("update?p=a&s=new").status == 200)
    #expect(slow.response()?.body == text)
    #expect(try harness.get("select?p=a").text == "new")
  }

  @Test func anotherWriterIsWaitedFor() throws {
    let harness = try Harness()
    var other: UserDirectory? = try UserDirectory(path: "\(harness.root)/alice")
    try other?.lock()
    #expect(try harness.get("insert?p=a&s=x").status == 503)
    #expect(try harness.get("select?p=a").status == 200)
    other = nil
    #expect(try harness.get("insert?p=a&s=x").status == 200)
  }
}

import Glibc
import Systemd
import Testing

@Suite(.timeLimit(.minutes(10))) struct DescriptorTests {
  @Test func aDescriptorIsClosedWithItsOwner() throws {
    var ends: [CInt] = [0, 0]
    try #require(openPair(&ends))
    let reader = FileDescriptor(owning: ends[0])
    let writer = ends[1]
    do {
      let owned = FileDescriptor(owning: writer)
      try owned.writeAll(Array("x".utf8))
    }
    // Comes to an end only when no writer is left.
    #expect(try reader.readAll(limit: 100) == Array("x".utf8))
  }

  @Test func aReleasedDescriptorStaysOpen() throws {
    var ends: [CInt] = [0, 0]
    try #require(openPair(&ends))
    let reader = FileDescriptor(owning: ends[0])
    let writer = ends[1]
    let number = FileDescriptor(owning: writer).release()
    #expect(number == writer)
    #expect(write(number, "y", 1) == 1)
    close(number)
    #expect(try reader.readAll(limit: 100) == Array("y".utf8))
  }

  @Test func everyDescriptorIsCloseOnExec() throws {
    let file = try FileDescriptor.open("/proc/self/stat", O_RDONLY)
    #expect(fcntl(file.raw, F_GETFD) & FD_CLOEXEC != 0)
    let copy = try file.duplicate()
    #expect(copy.raw != file.raw)
    #expect(fcntl(copy.raw, F_GETFD) & FD_CLOEXEC != 0)
  }

  @Test func readingStopsAtTheLimit() throws {
    let zeros = try FileDescriptor.open("/dev/zero", O_RDONLY)
    #expect(try zeros.readAll(limit: 10_000).count == 10_000)
    #expect(readSmallFile("/dev/zero", limit: 5)?.utf8.count == 5)
  }

  @Test func whatCannotBeOpenedIsNamed() {
    #expect(throws: Errno(ENOENT, "open /no/such/file")) {
      _ = try FileDescriptor.open("/no/such/file", O_RDONLY).release()
    }
    #expect(readSmallFile("/no/such/file") == nil)
  }

  @Test func aFullDeviceIsAnError() throws {
    let full = try FileDescriptor.open("/dev/full", O_WRONLY)
    #expect(throws: Errno(ENOSPC, "write")) { try full.writeAll([1, 2, 3]) }
    try full.writeAll([])
  }
}

@Suite struct ErrnoTests {
  @Test func anErrorSaysWhatWasDoneToWhat() {
    let error = Errno(-ENOENT, "open /run/podctl")
    #expect(error.code == ENOENT)
    #expect(error.name == "ENOENT")
    #expect(error.description == "open /run/podctl: No such file or directory")
    #expect(Errno(EPERM).description == "Operation not permitted")
  }

  @Test func whatTheLibraryDoesNotKnowIsANumber() {
    #expect(Errno.name(of: 9_999) == "9999")
    #expect(signalName(9) == "KILL")
    #expect(signalName(999) == "999")
  }
}

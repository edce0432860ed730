import Glibc
import GRDB
import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodStore

/// A directory of its own for one test, gone with it.
final class Scratch {
  let path: String

  init() throws {
    var template = Array("/tmp/podstore-test-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    path = try #require(made)
  }

  var database: String { path + "/podctl.db" }

  func open(auditLimit: Int = 100_000) throws -> PlacementStore {
    try PlacementStore(file: database, auditLimit: auditLimit)
  }

  deinit {
    for name in ["", "-wal", "-shm", "-journal"] { unlink(database + name) }
    rmdir(database)
    rmdir(path)
  }
}

func pod(_ number: Int) -> PodName { PodName(number: number) }

/// Only for names that a test spells out, which are valid.
extension UserName: ExpressibleByStringInterpolation {
  init(stringLiteral text: String) {
    guard let name = UserName(stored: text) else { preconditionFailure("\(text) is no user's name") }
    self = name
  }
}

extension PlacementStore {
  /// A provision with the default tier's figures; the token is derived from user and time.
  @discardableResult
  func place(
    _ user: UserName, tier: String = "free", usersPerPod: Int = 20, ports: ClosedRange<Int> = 10001...19999,
    run: Bool = false, now: WallTime = 1
  ) throws(StoreError) -> Provisioned {
    try provision(
      user: user, tier: tier, usersPerPod: usersPerPod, portRange: ports,
      token: "token-\(user)-\(now.sinceEpoch.count)",
      wantRunning: run, now: now)
  }

  /// Deletes a user whose data was put aside.
  func deprovisionAndCarry(_ user: UserName) throws(StoreError) {
    _ = try deprovision(user: user, purge: false, now: 9)
    try dataPutAside(user: user)
  }

  func execute(_ sql: String) throws(StoreError) {
    try write { db in try db.execute(sql: sql) }
  }

  func allUsers() throws(StoreError) -> [UserRecord] {
    try users(limit: .max)
  }
}

func makeDirectory(_ path: String) throws {
  var made = ""
  for part in path.split(separator: "/") {
    made += "/" + part
    let isThere = mkdir(made, 0o700) == 0 || errno == EEXIST
    try #require(isThere)
  }
}

func readBytes(_ path: String) throws -> [UInt8] {
  let descriptor = open(path, O_RDONLY)
  try #require(descriptor >= 0)
  defer { close(descriptor) }
  let size = Int(lseek(descriptor, 0, SEEK_END))
  var bytes = [UInt8](repeating: 0, count: size)
  try #require(pread(descriptor, &bytes, size, 0) == size)
  return bytes
}

func writeBytes(_ bytes: [UInt8], _ path: String) throws {
  let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  try #require(descriptor >= 0)
  defer { close(descriptor) }
  try #require(bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, bytes.count) } == bytes.count)
}

func mode(_ path: String) throws -> mode_t {
  var status = stat()
  try #require(lstat(path, &status) == 0)
  return status.st_mode & 0o7777
}

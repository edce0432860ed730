import Glibc
import Linux
import PodModel
import Testing
import Time

@testable import PodStore
@testable import PoddCore

@Suite final class DeliveredUsersTests {
  let directory: String
  let delivered: DeliveredUsers

  init() throws {
    var template = Array("/tmp/podctl-users-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) } != nil }
    try #require(made)
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    delivered = DeliveredUsers(directory: directory)
  }

  deinit { try? FileTree.remove(directory) }

  private func user(_ name: String, _ epoch: Int64, _ status: UserRecord.Status = .active) throws
    -> UserRecord
  {
    UserRecord(
      name: try UserName(validating: name), pod: PodName(number: 1), tier: "free", token: "secret",
      status: status, epoch: epoch, createdAt: WallTime(sinceEpoch: .zero),
      changedAt: WallTime(sinceEpoch: .zero))
  }

  @Test func whatWasPreparedCountsWhenEverybodyKnowsIt() throws {
    let users = [try user("alice", 1), try user("bob", 2, .suspended)]
    delivered.prepare(users)
    #expect(!delivered.isCurrent(users))
    delivered.record()
    let (alice, bob) = (try user("alice", 1), try user("bob", 3))
    #expect(delivered.isCurrent(users) && delivered.isCurrent([alice]) && !delivered.isCurrent([alice, bob]))
    delivered.forget()
    #expect(!delivered.isCurrent(users))
  }

  /// A program may have read the new file when podd ends, and the store may have the earlier users again.
  @Test func fromTheNewFileOnTheEarlierUsersAreNotOnRecord() throws {
    let (earlier, users) = ([try user("alice", 1)], [try user("alice", 1), try user("bob", 2)])
    delivered.prepare(earlier)
    delivered.record()
    delivered.prepare(users)
    #expect(!delivered.isCurrent(earlier) && !delivered.isCurrent(users))
  }

  @Test func theSameUsersStayOnRecord() throws {
    let users = [try user("alice", 1)]
    delivered.prepare([try user("carol", 0)])
    delivered.record()
    delivered.prepare([try user("bob", 0)])
    delivered.prepare(users)
    delivered.record()
    delivered.prepare(users)
    #expect(delivered.isCurrent(users))
    delivered.record()
    #expect(delivered.isCurrent(users))
  }
}

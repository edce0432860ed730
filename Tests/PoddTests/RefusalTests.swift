import Glibc
import PodAPI
import PodStore
import Systemd
import Testing

@testable import PoddCore

struct RefusalTests {
  @Test func aFullDiskIsStorageFullWhoeverMetIt() {
    #expect(Refusal(StoreError.full).error == .storageFull)
    #expect(Refusal(Errno(-ENOSPC, "write")).error == .storageFull)
    #expect(Refusal(Errno(-EDQUOT, "write")).error == .storageFull)
    #expect(Refusal(Errno(-EIO, "write")).error == .storageFailed)
  }

  @Test func aUsersNameIsCheckedAfterTheCallWasRead() {
    let refusal = #expect(throws: Refusal.self) { try PodHost.userName("../x") }
    #expect(refusal?.error == .invalidUser)
  }
}

import Glibc
import PodAPI
import PodStore
import Systemd
import Testing

@testable import PoddCore

struct RefusalTests {
  @Test func aFullDiskIsStorageFullWhoeverMetIt() {
    #expect(Refusal(StoreError.full(file: "podctl.db")).error == .storageFull)
    #expect(Refusal(Errno(-ENOSPC, "write")).error == .storageFull)
    #expect(Refusal(Errno(-EDQUOT, "write")).error == .storageFull)
    #expect(Refusal(Errno(-EIO, "write")).error == .storageFailed)
  }
}

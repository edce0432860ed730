import PodModel
import Testing
import Time
import TimeLiterals

@Suite struct HeldPacketTests {
  private static let second: Microseconds = .seconds(1)

  /// The times of tcp_syn_retries without and with tcp_syn_linear_timeouts.
  @Test(arguments: [[0, 1, 3, 7, 15, 31, 63], [0, 1, 2, 3, 4, 6, 10, 18, 34]])
  func aClientThatSendsAgainHasNotGivenUp(_ times: [UInt64]) {
    let begin: LoopTime = 5_000_000
    var packet = HeldPacket(id: 1, at: begin)
    for (index, time) in times.enumerated().dropFirst() {
      let now = begin + Self.second * time
      #expect(!packet.isAbandoned(at: now))
      packet = packet.sentAgain(as: UInt32(index), at: now)
      #expect(packet.id == UInt32(index))
    }
  }

  @Test func aClientThatHasGoneIsNoticedAfterOneMissingRetry() {
    let begin: LoopTime = 5_000_000
    let once = HeldPacket(id: 1, at: begin)
    #expect(once.isAbandoned(at: begin + Self.second * 3))
    let twice = once.sentAgain(as: 2, at: begin + Self.second)
    #expect(!twice.isAbandoned(at: begin + Self.second * 4))
    #expect(twice.isAbandoned(at: begin + Self.second * 5))
  }

  @Test func manyPodsTogetherLeaveRoomForOneMore() {
    var waiting = [Int](repeating: 0, count: 64)
    for _ in 0..<4096 {
      for pod in waiting.indices
      where HeldPacket.hasRoom(ofPod: waiting[pod], all: waiting.reduce(0, +), capacity: 4096) {
        waiting[pod] += 1
      }
    }
    #expect(HeldPacket.hasRoom(ofPod: 0, all: waiting.reduce(0, +), capacity: 4096))
    // A pod alone may have many.
    #expect(HeldPacket.hasRoom(ofPod: 800, all: 800, capacity: 4096))
    #expect(!HeldPacket.hasRoom(ofPod: 1000, all: 1000, capacity: 4096))
  }
}

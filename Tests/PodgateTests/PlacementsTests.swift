import LoopThread
import PodAPI
import Systemd
import Testing
import Time

@testable import PodgateCore

/// podd, as far as podgate asks it: every question waits until the test answers.
@LoopActor
private final class Podd {
  var isPresent = true
  private(set) var asked: [String] = []
  private var waiting: [(user: String, reply: CheckedContinuation<Result<ResolvedUser, BusError>, Never>)] =
    []
  private(set) var placements: Placements?

  init() {
    placements = Placements(
      isPresent: { [weak self] in self?.isPresent ?? false },
      resolve: { [weak self] user throws(BusError) in
        guard let self else { throw Self.gone }
        asked.append(user)
        let reply = await withCheckedContinuation { self.waiting.append((user, $0)) }
        return try reply.get()
      })
  }

  static let gone = BusError(name: "org.freedesktop.DBus.Error.ServiceUnknown", message: "podd is gone")

  static func resolved(_ user: String, pod: String = "pod-001", state: String = "ready", token: String = "t")
    -> ResolvedUser
  {
    ResolvedUser(
      user: user, status: "active", pod: pod, state: state, address: "127.77.0.1", frontAddress: "127.76.0.1",
      port: 10001, token: token, tier: "free", dataBytes: 0, dataMax: 1000)
  }

  func reply(_ result: Result<ResolvedUser, BusError>) {
    waiting.removeFirst().reply.resume(returning: result)
  }

  /// What a lookup gives, put into the mailbox: the pod's name and state, or a word.
  func find(_ user: String, _ box: Mailbox<String>) {
    placements?.find(user, forWriting: false) { standing in
      switch standing {
      case .active(let place):
        let head = String(decoding: place.admission(of: user), as: UTF8.self)
        let token = head.split(separator: "X-Token: ").last?.prefix(1) ?? ""
        box.put("\(place.pod.name) \(place.pod.state) \(token)")
      case .suspended: box.put("suspended")
      case .unknown: box.put("unknown")
      case nil: box.put("nothing")
      }
    }
  }

  /// Lets tasks that were started run.
  func settle() async {
    for _ in 0..<5 { await Task.yield() }
  }
}

@Suite("Where podgate takes users to be", .serialized)
struct PlacementsTests {
  @Test func allWhoAskAtTheSameTimeAreOneQuestionAndLaterOnesNone() async throws {
    try await onLoop {
      let (podd, box) = (Podd(), Mailbox<String>())
      for _ in 0..<3 { podd.find("alice", box) }
      await podd.settle()
      #expect(podd.asked == ["alice"])
      podd.reply(.success(Podd.resolved("alice")))
      for _ in 0..<3 { #expect(await box.next() == "pod-001 ready t") }
      podd.find("alice", box)
      #expect(box.pending == ["pod-001 ready t"])
      #expect(podd.asked == ["alice"])
    }
  }

  @Test func aChangeIsAskedAboutAlsoWhenItComesDuringTheQuestion() async throws {
    try await onLoop {
      let (podd, box) = (Podd(), Mailbox<String>())
      podd.find("alice", box)
      await podd.settle()
      podd.placements?.changed("alice")
      podd.reply(.success(Podd.resolved("alice", token: "o")))
      await podd.settle()
      #expect(box.pending.isEmpty)
      #expect(podd.asked == ["alice", "alice"])
      podd.reply(.success(Podd.resolved("alice", token: "n")))
      #expect(await box.next() == "pod-001 ready n")
      podd.placements?.changed("alice")
      podd.find("alice", box)
      #expect(box.pending.isEmpty)
      await podd.settle()
      podd.reply(
        .failure(BusError(name: APIError.noSuchUser.name, message: "there is no user alice")))
      #expect(await box.next() == "unknown")
    }
  }

  @Test func aStateThatWasToldIsNotReplacedByAnOlderReply() async throws {
    try await onLoop {
      let (podd, box) = (Podd(), Mailbox<String>())
      podd.find("alice", box)
      await podd.settle()
      podd.reply(.success(Podd.resolved("alice")))
      #expect(await box.next() == "pod-001 ready t")
      podd.find("bob", box)
      await podd.settle()
      podd.placements?.changed(StateChange(pod: "pod-001", state: "crash-loop", generation: 1, reason: nil))
      podd.reply(.success(Podd.resolved("bob", state: "starting")))
      #expect(await box.next() == "pod-001 crash-loop t")
      podd.find("alice", box)
      #expect(await box.next() == "pod-001 crash-loop t")
    }
  }

  @Test func whoIsKnownIsServedWhilePoddIsAwayAndAskedAboutAgainWhenItIsBack() async throws {
    try await onLoop {
      let (podd, box) = (Podd(), Mailbox<String>())
      podd.find("alice", box)
      await podd.settle()
      podd.reply(.success(Podd.resolved("alice")))
      _ = await box.next()
      podd.isPresent = false
      podd.find("alice", box)
      podd.find("bob", box)
      #expect(box.pending == ["pod-001 ready t"])
      _ = await box.next()
      #expect(podd.asked == ["alice"])
      podd.isPresent = true
      podd.placements?.everythingChanged()
      podd.placements?.canAsk()
      podd.find("alice", box)
      await podd.settle()
      #expect(podd.asked == ["alice", "bob", "alice"])
      podd.reply(.success(Podd.resolved("bob", pod: "pod-002")))
      #expect(await box.next() == "pod-002 ready t")
      // An error that says nothing about the user takes nothing away.
      podd.reply(.failure(BusError(name: "org.freedesktop.DBus.Error.Timeout", message: "no reply")))
      #expect(await box.next() == "pod-001 ready t")
    }
  }

  @Test func aPoddThatGoesDuringTheQuestionIsAskedWhenItIsBack() async throws {
    try await onLoop {
      let (podd, box) = (Podd(), Mailbox<String>())
      podd.find("alice", box)
      await podd.settle()
      podd.isPresent = false
      podd.reply(.failure(Podd.gone))
      await podd.settle()
      #expect(box.pending.isEmpty)
      podd.isPresent = true
      podd.placements?.everythingChanged()
      podd.placements?.canAsk()
      await podd.settle()
      podd.reply(.success(Podd.resolved("alice")))
      #expect(await box.next() == "pod-001 ready t")
    }
  }

  @Test func aBoundedNumberOfQuestionsIsUnderWay() async throws {
    try await onLoop {
      let (podd, box) = (Podd(), Mailbox<String>())
      for number in 0..<100 { podd.find("user-\(number)", box) }
      await podd.settle()
      #expect(podd.asked.count == Placements.mostCalls)
      for number in 0..<100 {
        podd.reply(.success(Podd.resolved("user-\(number)")))
        #expect(await box.next() == "pod-001 ready t")
        await podd.settle()
      }
      #expect(podd.asked.count == 100)
    }
  }
}

import Linux
import PodAPI
import PodModel
import PodStore
import Systemd
import Time

/// How much the users of each tier store, for `GetMetrics`.
///
/// The answer is of the last complete count, so nobody waits for one. A count goes through all users, a page at a time
/// and in the background; it remembers no user, so it takes the same memory for a hundred thousand of them. The next one
/// begins when somebody asks, after five minutes or ten times as long as the last one took, so that asking often costs a
/// tenth of a processor at most.
@LoopActor
final class DataTotals {
  private static let interval: Microseconds = .minutes(5)
  private static let page = 256

  private unowned let host: PodHost
  /// By tier; nil before the first count.
  private(set) var byTier: [String: HostMetrics.Data]?
  private var isCounting = false
  private var due: LoopTime = .zero

  init(host: PodHost) {
    self.host = host
  }

  /// Begins a count if the last one is old.
  func refresh() {
    let now = EventLoop.main.now()
    guard !isCounting, now >= due else { return }
    isCounting = true
    loopTask {
      if let totals = await self.count() { self.byTier = totals }
      self.isCounting = false
      let end = EventLoop.main.now()
      self.due = end + max(Self.interval, (end - now) * 10)
    }
  }

  /// Nil if it could not be completed.
  private func count() async -> [String: HostMetrics.Data]? {
    var totals: [String: HostMetrics.Data] = [:]
    var last: UserName?
    do {
      while true {
        let (after, page) = (last, Self.page)
        let users = try await host.ask { store throws(StoreError) in
          try store.users(after: after, limit: page)
        }
        guard let end = users.last else { return totals }
        last = end.name
        let placed = users.compactMap { user -> (tier: String, path: String)? in
          guard let pod = user.pod.flatMap({ host.pods[$0] }) else { return nil }
          return (user.tier, host.userFiles.directory(of: user.name, in: pod.record))
        }
        let paths = placed.map(\.path)
        // A user without a size is left out, as in `podctl users`.
        let sizes = try await BackgroundThread.run { () throws(Errno) in paths.map(UserSizes.count) }
        for (user, size) in zip(placed, sizes) {
          guard let size else { continue }
          let most = host.configuration.policy(ofTier: user.tier)?.dataMax
          totals[user.tier, default: HostMetrics.Data()].add(size, of: most)
        }
      }
    } catch {
      Log.warning("The data of users cannot be counted: \(error)")
      return nil
    }
  }
}

extension HostMetrics.Data {
  /// - Parameter most: `DataMax=`.
  mutating func add(_ size: UInt64, of most: UInt64?) {
    bytes &+= size
    if let most, size >= most - most / 5 { nearlyFull += 1 }
  }
}

import Glibc
import Linux
import PodModel
import PodStore
import Systemd
import Time

/// The one owner of pods' and users' data on the loop: it keeps moves apart, and runs them in the background.
///
/// A tenant may have a million files, and podd's loop must answer systemd's watchdog meanwhile. So what moves, copies,
/// gives away, removes or lists files is a function of ``DataMoves`` or ``PodDirectory`` in a ``BackgroundThread``;
/// nothing else in podd calls ``FileTree``. What stays on the loop is a constant number of system calls for each user.
///
/// Nothing moves because a directory happens to exist: the store says what has to be moved (`PodHost+Data.swift`).
@LoopActor
final class UserFiles {
  let places: DataPlaces
  let dataMoves: DataMoves

  /// One move of a user's data at a time. Taken before `directories`.
  let moves = KeyedLock<UserName>()

  /// One change of a pod's directory as a whole at a time: cleaning, migration, the return of what a program stored. A
  /// launch waits for it.
  let directories = KeyedLock<PodName>()

  /// One writer of a pod's users file at a time, in the order of the calls.
  let writers = KeyedLock<PodName>()

  private let counted = UserSizes()

  init(_ places: DataPlaces = .host) {
    self.places = places
    dataMoves = DataMoves(places: places)
  }

  func ensureBase() throws(Errno) {
    try StateDirectory.ensure(places.root)
    try Files.makeDirectory(places.pods, mode: 0o700)
    try Files.makeDirectory(places.kept, mode: 0o700)
    for path in places.ownDirectories { try Files.makeDirectory(path, mode: 0o700) }
  }

  nonisolated static func directory(of pod: PodName) -> String { DataPlaces.host.directory(of: pod) }

  func directory(of record: PodRecord) -> PodDirectory {
    PodDirectory(places: places, pod: record.name, uid: record.uid, layout: record.layout)
  }

  func directory(of user: UserName, in record: PodRecord) -> String {
    places.directory(of: user, in: record.name, record.layout)
  }

  /// Runs one step of a move in the background.
  func run<Value: Sendable>(
    _ body: @escaping @Sendable (DataMoves) throws(Errno) -> Value
  ) async throws(Errno) -> Value {
    let dataMoves = dataMoves
    return try await BackgroundThread.run { () throws(Errno) in try body(dataMoves) }
  }

  /// Bytes in each directory; nil where ``UserSizes`` knows none.
  func sizes(of paths: [String], within: Microseconds) async -> [UInt64?] {
    await counted.sizes(of: paths, within: within)
  }
}

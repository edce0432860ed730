import Glibc
import Linux
import Seeded
import Testing
import Time

extension TreeTests {
  /// Trees that a hostile user makes at random are counted, moved with interruptions, and removed. `TREE_SEED` is the first
  /// seed, `TREE_COUNT` how many: `TREE_COUNT=10000 swift test --filter RandomTreeTests` goes on for a while.
  @Suite(.timeLimit(.minutes(60))) struct RandomTreeTests {
    private static func number(_ name: String, _ standard: UInt64) -> UInt64 {
      getenv(name).flatMap { UInt64(String(cString: $0)) } ?? standard
    }

    private static let first = number("TREE_SEED", 1)

    @Test(arguments: first..<(first + number("TREE_COUNT", 12)))
    func `nothing outside is touched, and nothing is lost`(seed: UInt64) throws {
      var random = SeededGenerator(seed)
      let scratch = try Scratch(isInMemory: seed % 12 != 0)
      let outside = scratch.directory("outside", of: neighbour)
      try scratch.write("outside/precious", "content of a neighbour")
      let before = try contents(outside)
      let pod = scratch.directory("pod")
      let tree = scratch.directory("pod/tree")
      let mates = scratch.directory("pod/mate")
      let held = try acting(as: tenant) {
        try RandomTree(tree, mates: mates, outside: outside).make(&random)
      }
      defer { for descriptor in held { close(descriptor) } }

      let made = try contents(tree)
      let size = try #require(FileTree.size(tree, entriesMax: 100_000, until: .never))
      #expect(size.isComplete)

      // Taken out of the pod, as podd does; then moved, and interrupted again and again.
      var place = "source-0"
      #expect(rename(tree, "\(scratch.path)/\(place)") == 0)
      for round in 1...2 {
        let target = "target-\(round)"
        while scratch.exists(place) {
          let steps = Int.random(in: 1...60, using: &random)
          var done = 0
          do throws(Errno) {
            try FileTree.moveIntoNewInodes(
              from: "\(scratch.path)/\(place)", to: "\(scratch.path)/\(target)",
              owner: isRoot ? neighbour : geteuid()
            ) {
              done += 1
              // What the tenant still has open: it tries to put something into the tree.
              if done == steps { acting(as: tenant) { disturb(held, outside) } }
              return done <= steps + scratch.steps
            }
          } catch {
            #expect(error.code == ECANCELED)
            scratch.steps += 20
          }
        }
        try FileTree.moveIntoNewInodes(
          from: "\(scratch.path)/\(place)", to: "\(scratch.path)/\(target)", owner: 0)
        place = target
        // The tenant may make names until its directory's turn comes; all that it had is there.
        let moved = try contents("\(scratch.path)/\(target)")
        for (name, line) in made { #expect(moved[name] == line, "\(name)") }
        #expect(moved.keys.allSatisfy { made[$0] != nil || $0.hasSuffix("/planted") })
      }
      #expect(try contents(outside) == before)
      let mateBefore = try contents(mates)

      while true {
        var done = 0
        do throws(Errno) {
          try FileTree.remove("\(scratch.path)/\(place)") {
            done += 1
            return done < 50 + scratch.steps
          }
          break
        } catch {
          #expect(error.code == ECANCELED)
          scratch.steps += 20
        }
      }
      #expect(try contents(outside) == before)
      #expect(try contents(mates) == mateBefore)
      try FileTree.remove(pod)
      #expect(try Files.names(in: scratch.path) == ["outside"])
    }
  }
}

/// By descriptors that were open before the tree was taken away.
private func disturb(_ held: [CInt], _ outside: String) {
  for descriptor in held {
    symlink(outside, "/proc/self/fd/\(descriptor)/planted")
    rename("/proc/self/fd/\(descriptor)/planted", "/proc/self/fd/\(held[0])/planted")
  }
}

private struct RandomTree {
  private let root: String
  private let mates: String
  private let outside: String

  init(_ root: String, mates: String, outside: String) {
    self.root = root
    self.mates = mates
    self.outside = outside
  }

  /// Makes up to some hundred entries; returns directories that the tenant keeps open.
  func make(_ random: inout SeededGenerator) throws -> [CInt] {
    var directories = [Array(root.utf8CString.dropLast())]
    var files: [[CChar]] = []
    var held = [open(root, O_RDONLY | O_DIRECTORY)]
    for _ in 0..<Int.random(in: 0...300, using: &random) {
      // The youngest ones more often, so that the tree gets deep.
      let parent =
        Bool.random(using: &random)
        ? directories[directories.count - 1] : random.pick(directories)
      let path = parent + [0x2F] + name(&random) + [0]
      // A path of the kernel is shorter than a page.
      guard path.count < 3500 else { continue }
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<3:
        if mkdir(path, 0o700) == 0 {
          directories.append(Array(path.dropLast()))
          if Int.random(in: 0..<8, using: &random) == 0 { held.append(open(path, O_RDONLY | O_DIRECTORY)) }
        }
      case 3..<6:
        if makeFile(path, &random) { files.append(path) }
      case 6: symlink(random.pick([outside, "/", "..", "none"]), path)
      case 7: mkfifo(path, 0o600)
      case 8: if let file = files.randomElement(using: &random) { link(file, path) }
      default:
        if let file = files.randomElement(using: &random) {
          link(file, "\(mates)/\(UInt32.random(in: 0 ... .max, using: &random))")
        }
      }
    }
    return held
  }

  private func makeFile(_ path: [CChar], _ random: inout SeededGenerator) -> Bool {
    let file = open(
      path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode_t.random(in: 0...0o7777, using: &random))
    guard file >= 0 else { return false }
    let bytes = (0..<Int.random(in: 0...5000, using: &random)).map { _ in
      UInt8.random(in: 0...255, using: &random)
    }
    pwrite(file, bytes, bytes.count, random.pick([0, 0, 1 << 20, 1 << 35]))
    close(file)
    return true
  }

  /// Any bytes but NUL and the slash; sometimes as long as a name may be.
  private func name(_ random: inout SeededGenerator) -> [CChar] {
    let length = Int.random(in: 0..<20, using: &random) == 0 ? 255 : Int.random(in: 1...6, using: &random)
    let bytes = (0..<length).map { _ in
      CChar(
        bitPattern: Bool.random(using: &random)
          ? random.pick([0x2E, 0x61]) : UInt8.random(in: 1...255, using: &random))
    }
    return bytes.map { $0 == 0x2F ? 0x5F : $0 }
  }
}

extension SeededGenerator {
  fileprivate mutating func pick<Value>(_ values: [Value]) -> Value {
    values[Int.random(in: 0..<values.count, using: &self)]
  }
}

internal import Glibc
internal import PodAPI
internal import PodModel

/// The file of `provision --from-file`: `USER [TIER]` on each line.
enum ProvisionFile {
  struct Item: Equatable {
    let user: UserName
    let tier: String?
    /// From 1.
    let line: Int
  }

  /// Enough for a million users with names of 254 bytes; a larger file must be a mistake.
  static let largestFile = 256 << 20

  static func read(_ path: String, defaultTier: String?) throws -> [Item] {
    let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw Failure("cannot read \(path): \(String(cString: strerror(errno)))", status: .usage)
    }
    defer { if path != "-" { close(descriptor) } }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let got = Glibc.read(descriptor, &chunk, chunk.count)
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else {
        throw Failure("cannot read \(path): \(String(cString: strerror(errno)))", status: .usage)
      }
      if got == 0 { break }
      content.append(contentsOf: chunk[..<got])
      guard content.count <= largestFile else { throw Failure("\(path) is too large", status: .usage) }
    }
    return try parse(content, name: path == "-" ? "standard input" : path, defaultTier: defaultTier)
  }

  /// Returns all lines. If any line is invalid, throws an error that names the first one and says how many more there
  /// are: then no user of the file is provisioned (podctl-provision(1)).
  static func parse(_ content: [UInt8], name: String, defaultTier: String?) throws(Failure) -> [Item] {
    var items: [Item] = []
    var firstProblem: String?
    var problems = 0
    for (index, raw) in content.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      let words = raw.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
      guard let first = words.first, first.first != UInt8(ascii: "#") else { continue }
      do throws(UserNameError) {
        let user = try UserName(validating: first)
        if words.count > 2 {
          problems += 1
          firstProblem = firstProblem ?? "\(name):\(index + 1): a line is USER [TIER], nothing more"
          continue
        }
        let tier = words.count > 1 ? String(decoding: words[1], as: UTF8.self) : defaultTier
        items.append(Item(user: user, tier: tier, line: index + 1))
      } catch {
        problems += 1
        firstProblem = firstProblem ?? "\(name):\(index + 1): \(error)"
      }
    }
    if let firstProblem {
      let more = problems > 1 ? " (and \(problems - 1) more bad line\(problems == 2 ? "" : "s"))" : ""
      throw Failure("\(firstProblem)\(more); nothing was changed", status: .usage)
    }
    return items
  }
}

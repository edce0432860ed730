internal import PodModel

/// Where nginx is to listen: the first word of its directive `listen`.
struct ListenPlace: CustomStringConvertible {
  let description: String
  /// Nil for an address.
  let path: String?
  /// Nil for a unix socket.
  let port: Int?

  static func all(in text: String) -> [ListenPlace] {
    NginxText.statements(of: text).filter { $0.first == "listen" && $0.count > 1 }.map { ListenPlace($0[1]) }
  }

  private init(_ word: Substring) {
    description = String(word)
    if word.hasPrefix("unix:") {
      path = String(word.dropFirst(5))
      port = nil
      return
    }
    path = nil
    // 443, *:443, 192.0.2.1:443, [::]:443; an address alone has port 80.
    let last = word.split(separator: ":").last ?? ""
    port = Int(last) ?? 80
  }
}

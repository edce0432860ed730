/// What doctor reads of nginx's configuration.
enum NginxText {
  /// The words of each directive, without comments. Quotes are not understood: nothing that is looked for has any.
  static func statements(of text: String) -> [[Substring]] {
    text.split(separator: "\n").map { $0.prefix { $0 != "#" } }.joined(separator: " ")
      .split { ";{}".contains($0) }
      .map { $0.split(whereSeparator: { $0.isWhitespace }) }.filter { !$0.isEmpty }
  }
}

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

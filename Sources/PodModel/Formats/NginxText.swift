/// nginx's configuration, as far as doctor reads it.
public enum NginxText {
  /// The words of each directive, without comments. Quotes are not understood: nothing that is looked for has any.
  public static func statements(of text: String) -> [[Substring]] {
    text.split(separator: "\n").map { $0.prefix { $0 != "#" } }.joined(separator: " ")
      .split { ";{}".contains($0) }
      .map { $0.split(whereSeparator: { $0.isWhitespace }) }.filter { !$0.isEmpty }
  }
}

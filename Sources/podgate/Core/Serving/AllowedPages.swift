import HTTPWire

/// The web pages that may have a browser send a token (`AllowedOrigins=`). A browser sends a cookie whichever page asks
/// for the request, so where the page came from has to be looked at.
struct AllowedPages {
  private let origins: [[UInt8]]

  init(_ origins: [String]) { self.origins = origins.map { Array($0.utf8) } }

  /// Whether one of them sent the request, by the word of the browser. No page can set the three fields.
  func sent(_ request: AuthRequest) -> Bool {
    if let origin = request.origin { return origins.contains { $0.elementsEqual(origin) } }
    // A GET to the page's own host has no Origin. Then the page's origin is the host that is asked.
    guard let host = request.host, let site = request.site, site.elementsEqual("same-origin".utf8) else {
      return false
    }
    let lowered = host.map(lowercased)
    return origins.contains { origin in
      guard let slash = origin.lastIndex(of: UInt8(ascii: "/")) else { return false }
      return origin[(slash + 1)...].elementsEqual(lowered)
    }
  }
}

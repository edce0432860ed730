public import Time

/// podgate's settings, `podgate.conf`: the keys of section `[Gate]`.
public struct GateSettings: Sendable, Equatable {
  /// The JWK Set with the keys of tokens.
  public var keyFile = "/etc/podctl/gate/keys.json"
  /// What a token's `iss` must be; nil: it may be missing, or anything.
  public var issuer: String?
  /// A token's `aud` must have one of these; empty: a token must have no `aud`.
  public var audiences: [String] = []
  /// How wrong the clock of who signs tokens may be.
  public var leeway: Microseconds = .seconds(30)
  /// The name of the cookie that is a token; nil: none is.
  public var tokenCookie: String?
  /// The origins of web pages that may send a token in a cookie or as a subprotocol.
  public var allowedOrigins: [String] = []
  /// Where each user has a host name: whose it is.
  public var userOfHost = UserOfHost()

  public init() {}

  /// Reads podgate's settings, with all mistakes. No file at all means the defaults.
  public static func check(_ fragments: [SettingsFragment]) -> Result<GateSettings, SettingsErrors> {
    Result { () throws(SettingsErrors) in
      var file = GateFile()
      _ = try file.read(fragments, mainFile: "podgate.conf")
      return file.settings
    }
  }
}

private struct GateFile: SettingsFile {
  enum Key: String, CaseIterable {
    case KeyFile
    case Issuer
    case Audience
    case LeewaySec
    case TokenCookie
    case AllowedOrigins
    case UserOfHost
  }

  static let section = "Gate"

  var settings = GateSettings()
  private let defaults = GateSettings()

  mutating func assign(_ key: Key, _ value: String) throws(ValueError) {
    switch key {
    case .KeyFile:
      settings.keyFile = try parsed(value, else: defaults.keyFile, SettingsValue.absolutePath)
    case .Issuer: settings.issuer = value.isEmpty ? nil : value
    case .Audience:
      settings.audiences = value.isEmpty ? [] : settings.audiences + (try WordSplitter.split(value))
    case .LeewaySec:
      settings.leeway = try parsed(value, else: defaults.leeway) { text throws(ValueError) in
        let span = try SettingsValue.timeSpan(text)
        guard span <= .minutes(5) else { throw ValueError("\(quoted(text)) is longer than 5min") }
        return span
      }
    case .UserOfHost:
      settings.userOfHost = try parsed(value, else: defaults.userOfHost) { text throws(ValueError) in
        try PodModel.UserOfHost(text)
      }
    case .TokenCookie: settings.tokenCookie = value.isEmpty ? nil : try SettingsValue.cookieName(value)
    case .AllowedOrigins:
      if value.isEmpty { settings.allowedOrigins = [] }
      for word in try WordSplitter.split(value) {
        settings.allowedOrigins.append(try SettingsValue.origin(word))
      }
    }
  }
}

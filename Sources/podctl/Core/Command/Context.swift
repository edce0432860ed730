internal import Linux
internal import PodAPI

/// The global options: the host to call, and how to print the reply.
struct Context {
  var host: String?
  var json = false
  var noPager = false
  var noLegend = false

  func client() throws(CallError) -> Client {
    let client = try Client(host: host)
    client.interactive = Style.current.isTerminal
    return client
  }

  /// Prints JSON with `--json`, else the text, through a pager when it is a list.
  func present(json value: @autoclosure () -> JSON, list: Bool = false, text: (Style) -> String) {
    if json {
      var bytes: [UInt8] = []
      value().write(into: &bytes)
      bytes.append(UInt8(ascii: "\n"))
      Output.write(bytes)
      return
    }
    var style = Style.current
    style.legend = !noLegend
    // The time of the reply, because the call may have started podd.
    style.now = Clock.wall
    let content = text(style)
    if list && !noPager && style.isTerminal && Pager.isWanted(for: content, style: style) {
      Pager.show(content)
    } else {
      Output.write(Array(content.utf8))
    }
  }
}

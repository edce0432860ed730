import HTTPWire

// Reads one request's head again and again, as podgate gets it from nginx: 14 fields, of which it looks at 10. The
// number of times is the argument; Tests/bench/head-instructions counts what one costs.

let fields = [
  ("Host", "podgate"), ("Connection", "keep-alive"),
  ("Authorization", "Bearer " + String(repeating: "eyJhbGciOi", count: 39)),
  ("Cookie", "theme=dark; session=6f1c2b9d"), ("Origin", "https://app.example.com"), ("X-Method", "GET"),
  ("X-Uri", "/api/v2/select?p=notes&c=1.1.1/1.1.1/1.1.1"), ("X-Path", "/api/v2/select"),
  ("X-Host", "pods.example.com"), ("X-Length", "0"), ("X-Peer", "203.0.113.77:49152"),
  ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"),
  ("Accept", "application/json"), ("Accept-Encoding", "gzip, deflate, br"),
]
let names = [
  "authorization", "cookie", "origin", "sec-websocket-protocol", "x-upgrade", "x-method", "x-uri", "x-host",
  "x-length", "x-peer",
]
let request = Array(
  ("GET /auth HTTP/1.1\r\n" + fields.map { "\($0): \($1)\r\n" }.joined() + "\r\n").utf8)

func read() throws(HTTPError) -> Int {
  var parser = HeadParser()
  guard let (head, length) = try parser.parse(request.span), length == request.count else { return 0 }
  var bytes = 0
  for name in names { bytes += try head.value(of: name)?.count ?? 0 }
  return bytes
}

let rounds = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 1
let once = try read()
var bytes = 0
for _ in 0..<rounds { bytes += try read() }
// Uses the results, so that the compiler cannot remove the work.
precondition(once > 0 && bytes == once * rounds)

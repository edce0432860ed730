/// The answer to one request, before it is put into HTTP.
public struct Reply {
  enum Body {
    case bytes([UInt8])
    /// A range of a file. A document that is replaced meanwhile stays readable in its old form.
    case file(OpenFile, Range<Int>)
    case contents(TableOfContents, length: Int)
  }

  var status = 200
  var body: Body
  var fields: [(name: String, value: String)] = []

  init(_ text: String, status: Int = 200, fields: [(name: String, value: String)] = []) {
    self.status = status
    self.fields = fields
    body = .bytes(Array(text.utf8))
  }

  init(body: Body) {
    self.body = body
  }

  /// An error as one line of text.
  init(_ error: StorageError) {
    let (status, reason) = error.answer
    self.init(reason + "\n", status: status, fields: status == 503 ? [("Retry-After", "1")] : [])
    if status == 500 { log(.error, reason) }
  }

  var bodyLength: Int {
    switch body {
    case .bytes(let bytes): bytes.count
    case .file(_, let range): range.count
    case .contents(_, let length): length
    }
  }
}

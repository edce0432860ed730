/// Columns as systemctl prints them: aligned, the header emphasised on a terminal, the last column
/// without trailing spaces. Cells are cut only to fit a terminal's width.
struct Table {
  enum Alignment { case left, right }

  struct Cell {
    let text: String
    var colour: Colour?

    init(_ text: String, _ colour: Colour? = nil) {
      self.text = text
      self.colour = colour
    }
  }

  struct Column {
    let title: String
    let alignment: Alignment

    static func left(_ title: String) -> Column { Column(title: title, alignment: .left) }
    static func right(_ title: String) -> Column { Column(title: title, alignment: .right) }
  }

  let columns: [Column]
  /// A glyph in front of every row, on terminals only, so that the first word is the name in a script.
  var dots: [String] = []
  var rows: [[Cell]] = []

  init(_ columns: [Column]) {
    self.columns = columns
  }

  func render(_ style: Style) -> String {
    let withDots = style.isTerminal && !dots.isEmpty
    let widths = fittedWidths(style, margin: withDots ? 2 : 0)
    var output = ""
    output.reserveCapacity((rows.count + 1) * (widths.reduce(0, +) + widths.count * 2 + 8))
    if style.legend {
      var line = withDots ? "  " : ""
      append(columns.map { Cell($0.title) }, widths, style, to: &line)
      output += style.paint(line, .header)
      output += "\n"
    }
    for (index, row) in rows.enumerated() {
      if withDots {
        output += index < dots.count ? dots[index] : " "
        output += " "
      }
      append(row, widths, style, to: &output)
      output += "\n"
    }
    return output
  }

  private func append(_ cells: [Cell], _ widths: [Int], _ style: Style, to output: inout String) {
    for (index, cell) in cells.enumerated() {
      let text = ellipsized(cell.text, to: widths[index], style)
      let padding = widths[index] - Self.width(text)
      if index > 0 { output += " " }
      if columns[index].alignment == .right { output += String(repeating: " ", count: max(0, padding)) }
      output += style.paint(text, cell.colour)
      if columns[index].alignment == .left && index < cells.count - 1 {
        output += String(repeating: " ", count: max(0, padding))
      }
    }
  }

  /// The widest cell of each column; on a terminal that is too narrow, the widest columns shrink.
  private func fittedWidths(_ style: Style, margin: Int) -> [Int] {
    var widths = style.legend ? columns.map { Self.width($0.title) } : columns.map { _ in 0 }
    for row in rows {
      for (index, cell) in row.enumerated() { widths[index] = max(widths[index], Self.width(cell.text)) }
    }
    guard let available = style.columns else { return widths }
    let narrowest = 6
    var excess = widths.reduce(0, +) + widths.count - 1 + margin - available
    while excess > 0, let widest = widths.max(), widest > narrowest,
      let index = widths.firstIndex(of: widest)
    {
      widths[index] -= 1
      excess -= 1
    }
    return widths
  }

  private func ellipsized(_ text: String, to width: Int, _ style: Style) -> String {
    guard Self.width(text) > width else { return text }
    if style.unicode { return String(text.unicodeScalars.prefix(max(0, width - 1))) + "…" }
    return String(text.unicodeScalars.prefix(max(0, width - 3))) + "..."
  }

  private static func width(_ text: String) -> Int { text.unicodeScalars.count }
}

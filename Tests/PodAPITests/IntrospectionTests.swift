import PodAPI
import Systemd
import Testing

/// The D-Bus interface (org.podctl1(5)) as a file, and podd's reply to Introspect.
@Suite struct IntrospectionTests {
  private func contract() throws -> String {
    let top = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return try #require(readSmallFile("/\(top)/Sources/PodAPI/org.podctl1.xml"))
  }

  @Test func poddAnswersTheContractToTheLetter() throws {
    let contract = try contract()
    #expect(Introspection.xml == contract)
  }

  @Test func rowsHaveOneTypeForEachFieldThatTheContractNames() throws {
    let contract = try contract()
    // The comment names each row's fields, each behind its type.
    var signatures: [(row: Substring, types: String)] = []
    let comment = contract.split(separator: "\n").drop { !$0.contains("PodRow ") }.prefix {
      !$0.contains("\"\"")
    }
    for line in comment {
      for word in line.split(whereSeparator: { $0 == " " || $0 == "," }) {
        if word.hasSuffix("Row") {
          signatures.append((word, ""))
        } else if word.count == 1, !signatures.isEmpty {
          signatures[signatures.count - 1].types += word
        }
      }
    }
    #expect(
      signatures.map(\.row) == [
        "PodRow", "UserRow", "LastUseRow", "RequestsRow", "RequestCountsRow", "TierRow", "MinuteRow",
        "UsageRow",
      ])
    for (row, types) in signatures {
      #expect(contract.contains("\"a(\(types))\""), "\(row) is \(types)")
    }
  }
}

import PodAPI
import Systemd
import Testing

/// org.podctl1.xml against the types by which podctl calls podd and podd answers.
@Suite struct ContractTests {
  /// A method, signal or property, with the types that the XML gives it.
  private struct Member: Equatable, CustomStringConvertible {
    var name: String
    var input = ""
    var output = ""

    var description: String { "\(name) (\(input)) -> (\(output))" }
  }

  private struct Contract {
    var methods: [Member] = []
    var signals: [Member] = []
    var properties: [Member] = []

    /// Knows no more of XML than the file uses: tags, attributes in double quotes, comments.
    init(_ xml: String) throws {
      var text = xml[...]
      while let start = text.firstRange(of: "<!--") {
        let end = try #require(text[start.upperBound...].firstRange(of: "-->"))
        text.removeSubrange(start.lowerBound..<end.upperBound)
      }
      var inMethod = false
      for tag in text.split(separator: "<").compactMap({ $0.split(separator: ">").first }) {
        let attributes = Self.attributes(tag)
        let name = attributes["name"] ?? ""
        switch tag.split(separator: " ").first?.split(separator: "/").first {
        case "method" where !tag.hasPrefix("/"):
          methods.append(Member(name: name))
          inMethod = true
        case "signal" where !tag.hasPrefix("/"):
          signals.append(Member(name: name))
          inMethod = false
        case "property":
          try #require(attributes["access"] == "read")
          properties.append(Member(name: name, output: try #require(attributes["type"])))
        case "arg":
          let type = try #require(attributes["type"])
          switch (inMethod, attributes["direction"]) {
          case (true, "in"): methods[methods.count - 1].input += type
          case (true, "out"): methods[methods.count - 1].output += type
          case (false, nil): signals[signals.count - 1].output += type
          case (_, let direction): Issue.record("\(name) has direction \(direction ?? "none")")
          }
        default: break
        }
      }
    }

    private static func attributes(_ tag: Substring) -> [Substring: String] {
      let pieces = tag.split(separator: "\"", omittingEmptySubsequences: false)
      var attributes: [Substring: String] = [:]
      for index in stride(from: 0, to: pieces.count - 1, by: 2) {
        guard let key = pieces[index].split(separator: " ").last, key.hasSuffix("=") else { continue }
        attributes[key.dropLast()] = String(pieces[index + 1])
      }
      return attributes
    }
  }

  @Test func methodsHaveTheContractsNamesAndSignatures() throws {
    let contract = try Contract(Introspection.xml)
    #expect(
      Method.allCases.map { Member(name: $0.name, input: $0.input, output: $0.output) } == contract.methods)
  }

  @Test func signalsHaveTheContractsNamesAndSignatures() throws {
    let contract = try Contract(Introspection.xml)
    #expect(Signal.allCases.map { Member(name: $0.name, output: $0.signature) } == contract.signals)
  }

  @Test func propertiesHaveTheContractsNamesAndTypes() throws {
    let contract = try Contract(Introspection.xml)
    #expect(
      ManagerProperty.allCases.map { Member(name: $0.name, output: $0.signature) } == contract.properties)
  }

  @Test func actionsAreThoseOfThePolicy() throws {
    let top = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let policy = try #require(readSmallFile("/\(top)/polkit/org.podctl1.policy"))
    let ids = policy.split(separator: "\n").filter { $0.contains("<action id=") }
      .compactMap { $0.split(separator: "\"").dropFirst().first }
    #expect(Set(ids.map(String.init)) == Set(PolkitAction.allCases.map(\.id)))
    #expect(Set(Method.allCases.map(\.action)) == Set(PolkitAction.allCases))
  }

  @Test func whatChangesSomethingIsAudited() {
    #expect(
      Method.allCases.filter { !$0.isAudited } == [
        .listPods, .listUsers, .listLastUse, .listTiers, .getPod, .getUser, .getStatus, .getHistory,
        .listUsage, .listRequests, .getMetrics, .checkInvariants, .attachFrontDoor, .acknowledgeHold,
        .resolveUser,
        .closeClientConnections, .findClientConnections, .reportUse, .reportRequests,
      ])
  }
}

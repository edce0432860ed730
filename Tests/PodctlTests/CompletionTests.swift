import Glibc
import Testing

@testable import PodctlCore

/// Runs the generated script in a real bash, with a `podctl` that returns a few names.
@Suite(.enabled(if: access("/bin/bash", X_OK) == 0)) struct CompletionTests {
  /// The completions of a command line, which is given also in the words into which bash splits it. readline replaces
  /// the last word, or more if it follows an "@".
  private func offered(_ words: [String], line: String, replaced: String? = nil) throws -> [String] {
    let harness = """
      podctl() {
        case "$*" in
          "complete-names pods") printf 'pod-001\\npod-002\\n' ;;
          "complete-names users") printf 'alice@example.com\\nalbert@example.org\\n' ;;
          "complete-names users pods") printf 'alice@example.com\\npod-001\\n' ;;
          "complete-names tiers") printf 'free\\npro\\n' ;;
        esac
      }
      \(Completion.bash)
      COMP_LINE="$1"; COMP_POINT=${#1}; READLINE_WORD="$2"; shift 2
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9; COMP_KEY=9
      registered="$(complete -p podctl)"
      "$(sed 's/.*-F \\([^ ]*\\).*/\\1/' <<< "$registered")" podctl "$READLINE_WORD" "${COMP_WORDS[-2]}"
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    let answer = try #require(
      Child.output(of: ["/bin/bash", "-c", harness, "bash", line, replaced ?? words.last ?? ""] + words))
    #expect(answer.status == 0)
    return String(decoding: answer.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  @Test func verbsAndOptionsComplete() throws {
    #expect(try offered(["podctl", "sto"], line: "podctl sto") == ["stop"])
    #expect(try offered(["podctl", "deprovision", "--pu"], line: "podctl deprovision --pu") == ["--purge"])
    #expect(try offered(["podctl", "pods", "--js"], line: "podctl pods --js") == ["--json"])
    #expect(try offered(["podctl", "--js"], line: "podctl --js") == ["--json"])
  }

  @Test func podsUsersAndTiersComplete() throws {
    #expect(try offered(["podctl", "stop", "pod-00"], line: "podctl stop pod-00") == ["pod-001", "pod-002"])
    for verb in ["explain", "recycle", "evict", "freeze", "thaw", "wake"] {
      #expect(try offered(["podctl", verb, "pod-002"], line: "podctl \(verb) pod-002") == ["pod-002"])
    }
    #expect(try offered(["podctl", "rollout", "--tier", "f"], line: "podctl rollout --tier f") == ["free"])
    #expect(try offered(["podctl", "logs", "al"], line: "podctl logs al") == ["alice@example.com"])
    #expect(
      try offered(["podctl", "provision", "a", "--tier", "p"], line: "podctl provision a --tier p") == ["pro"]
    )
  }

  @Test func aNameContinuesAfterItsAt() throws {
    #expect(
      try offered(
        ["podctl", "deprovision", "alice", "@", "ex"], line: "podctl deprovision alice@ex", replaced: "@ex")
        == ["@example.com"])
    #expect(
      try offered(["podctl", "deprovision", "albert", "@"], line: "podctl deprovision albert@")
        == ["@example.org"])
  }

  @Test func theHiddenVerbIsNotOffered() throws {
    #expect(try offered(["podctl", "comp"], line: "podctl comp") == [])
  }
}

import Testing

@testable import PoddCore

/// Whose a user id is, as the files of the host say it.
@Suite struct AccountsTests {
  @Test func anIDIsFoundInAListByItsThirdField() {
    let list =
      "root:x:0:0:root:/root:/bin/bash\n1900000007:x:7:7::/:/bin/sh\nivan:x:1900000007:1900000007:a:/h:/b\n\nbad\n"
    #expect(Accounts.name(ofID: 1_900_000_007, in: list) == "ivan")
    #expect(Accounts.name(ofID: 1_900_000_008, in: list) == nil)
    #expect(Accounts.name(ofID: 0, in: "pods:x:0:\n") == "pods")
  }

  @Test(arguments: [
    ("passwd:         files systemd\n", false), ("passwd: files systemd sss\n", true),
    ("passwd: sss files", true),
    ("group: files sss\n", false), ("passwd: files # sss\n", false), ("# passwd: sss\n", false), ("", false),
    ("passwd: files [NOTFOUND=return] ldap\n", true), ("passwd: files [ NOTFOUND=return ]\n", false),
    ("passwd:\tcompat\n", false),
  ])
  func onlyADirectoryHasToBeAsked(nsswitch: String, isAsked: Bool) {
    #expect(Accounts.asksDirectory(nsswitch, "passwd") == isAsked)
  }
}

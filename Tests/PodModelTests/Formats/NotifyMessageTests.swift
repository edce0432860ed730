import PodModel
import Testing

@Suite struct NotifyMessageTests {
  @Test(arguments: ["READY=1", "A=b\nREADY=1\n", "READY=1\nSTATUS=x", "\n\nREADY=1"])
  func aLineSaysReady(text: String) {
    #expect(NotifyMessage.saysReady(Array(text.utf8)[...]))
  }

  @Test(arguments: ["", "\n", "READY=0", "READY=10", "XREADY=1", "READY=1\0", "ready=1", "STATUS=READY=1"])
  func everythingElseDoesNot(text: String) {
    #expect(!NotifyMessage.saysReady(Array(text.utf8)[...]))
  }
}

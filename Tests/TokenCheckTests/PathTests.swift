import Testing
@testable import TokenCheck
@Suite struct X {}

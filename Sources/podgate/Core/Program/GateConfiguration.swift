import Glibc
import Linux
import PodModel
import TokenCheck

/// podgate's settings and keys, as the files say now.
struct GateConfiguration {
  let settings: GateSettings
  let verifier: TokenVerifier
  let pages: AllowedPages
  /// What an administrator should know about the keys.
  let notes: [String]

  init(settings: GateSettings, verifier: TokenVerifier, notes: [String] = []) {
    self.settings = settings
    self.verifier = verifier
    self.notes = notes
    pages = AllowedPages(settings.allowedOrigins)
  }

  /// Why the files cannot be used: a sentence each.
  struct Failure: Error {
    let messages: [String]
  }

  /// - Parameter root: Put before each path; a test has a directory of its own.
  static func read(root: String = "") throws(Failure) -> GateConfiguration {
    let files = SettingsFiles(
      "podgate.conf", in: SettingsSearch.directories.map { root + $0 },
      names: { (try? Files.names(in: $0)) ?? [] },
      content: { path in
        do throws(Errno) {
          return .bytes(try FileDescriptor.open(path, O_RDONLY).readAll(limit: 1 << 20))
        } catch {
          return error.code == ENOENT ? .missing : .unreadable(error.text)
        }
      })
    let settings: GateSettings
    switch files.check(GateSettings.check) {
    case .success(let read): settings = read
    case .failure(let errors): throw Failure(messages: errors.all.map(\.description))
    }
    let keys = try self.keys(root + settings.keyFile)
    let verifier = TokenVerifier(
      keys: keys, issuer: settings.issuer, audiences: settings.audiences, leeway: settings.leeway)
    return GateConfiguration(settings: settings, verifier: verifier, notes: keys.notes)
  }

  private static func keys(_ path: String) throws(Failure) -> KeySet {
    let content: [UInt8]
    do throws(Errno) {
      content = try FileDescriptor.open(path, O_RDONLY).readAll(limit: 1 << 20)
    } catch {
      let help =
        error.code == ENOENT
        ? "put a JWK Set there, or name another file with KeyFile= in podgate.conf"
        : "it must be readable for the group podctl-gate (chgrp podctl-gate, chmod 640)"
      throw Failure(messages: ["\(path): \(error.text); \(help)"])
    }
    do throws(KeySetError) {
      return try KeySet(jwkSet: content, file: path)
    } catch {
      throw Failure(messages: [error.description])
    }
  }
}

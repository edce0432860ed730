internal import CLinux
internal import Glibc
internal import Linux

/// The name of a document as a client gives it (`p=`); its file is `NAME.phext`.
public struct DocumentName: Equatable, Sendable {
  static let suffix = ".phext"
  let text: String

  /// Nil unless 1–200 bytes of UTF-8 without `/`, `\`, `..`, control characters or a leading dot.
  public init?(_ bytes: [UInt8]) {
    guard (1...200).contains(bytes.count), bytes[0] != UInt8(ascii: "."),
      !bytes.contains(where: {
        $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\")
      }),
      let text = String(validating: bytes, as: UTF8.self), !text.utf8.containsTwoDots
    else { return nil }
    self.text = text
  }

  var fileName: String { text + Self.suffix }
  /// Hidden, so that no document can have this name; one for each document, so that a crash leaves one.
  var temporaryName: String { "." + text + Self.suffix + ".tmp" }
}

extension String.UTF8View {
  fileprivate var containsTwoDots: Bool {
    zip(self, dropFirst()).contains { $0 == UInt8(ascii: ".") && $1 == UInt8(ascii: ".") }
  }
}

/// A user's directory, held open: everything below is reached through its descriptor, never by path.
public final class UserDirectory {
  let path: String
  private let directory: OpenFile

  /// - Throws: `.failed` naming the directory: podd makes it, this program does not.
  public init(path: String) throws(StorageError) {
    let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .failed("The user's directory \(path) cannot be opened: \(describe(errno)).")
    }
    self.path = path
    directory = OpenFile(descriptor)
  }

  /// Keeps every other writer out, another generation of this pod included, until this object goes.
  public func lock() throws(StorageError) {
    // A write takes milliseconds; one that takes longer belongs to a pod that is frozen or starved.
    for _ in 0..<400 {
      if flock(directory.descriptor, LOCK_EX | LOCK_NB) == 0 { return }
      guard errno == EWOULDBLOCK || errno == EINTR else {
        throw .failed("\(path) cannot be locked: \(describe(errno)).")
      }
      usleep(5000)
    }
    throw .busy("\(path) is being written by another process; try again.")
  }

  /// The document, or nil when there is none.
  public func open(_ name: DocumentName) throws(StorageError) -> OpenFile? {
    let descriptor = linux_open_beneath(directory.descriptor, name.fileName, O_RDONLY, 0)
    guard descriptor >= 0 else {
      switch errno {
      case ENOENT: return nil
      case ELOOP, EXDEV: throw .notServed("\(name.fileName) is a symbolic link, which is not followed.")
      default: throw .failed("\(name.fileName) cannot be opened: \(describe(errno)).")
      }
    }
    let file = OpenFile(descriptor)
    guard let status = file.status(), status.st_mode & S_IFMT == S_IFREG else {
      throw .notServed("\(name.fileName) is not a regular file.")
    }
    return file
  }

  /// A file without a name for data that is on its way.
  func openUnnamed() throws(StorageError) -> OpenFile {
    let descriptor = linux_open_unnamed(directory.descriptor)
    guard descriptor >= 0 else { throw Self.writeError("A temporary file", errno) }
    return OpenFile(descriptor)
  }

  /// Bytes and number of all documents but one.
  public func usage(without name: DocumentName) throws(StorageError) -> (bytes: Int, documents: Int) {
    let listing: Directory
    do throws(Errno) {
      // A new descriptor, because copies of one descriptor share the position of a listing.
      let again = linux_openat(directory.descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
      guard again >= 0 else { throw Errno.last() }
      listing = try Directory(owning: FileDescriptor(owning: again), path)
    } catch {
      throw .failed("\(path) cannot be listed: \(error.text).")
    }
    var bytes = 0
    var documents = 0
    do throws(Errno) {
      while let file = try listing.next() {
        guard let text = file.text, text.hasSuffix(DocumentName.suffix), !text.hasPrefix("."),
          text != name.fileName
        else { continue }
        var status = stat()
        guard fstatat(listing.descriptor, file.bytes, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
        bytes += Int(status.st_size)
        documents += 1
      }
    } catch {
      throw .failed("\(path) cannot be listed: \(error.text).")
    }
    return (bytes, documents)
  }

  /// Replaces a document as a whole: nobody, and no power cut, sees half of it.
  /// - Parameter fill: Writes the new content. When it throws, nothing has changed.
  public func replace(_ name: DocumentName, fill: (OpenFile) throws(StorageError) -> Void)
    throws(StorageError)
  {
    let temporary = name.temporaryName
    // Under the lock no other process uses this name, so a file of that name was left by a crash.
    unlinkat(directory.descriptor, temporary, 0)
    let descriptor = linux_open_beneath(
      directory.descriptor, temporary, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    guard descriptor >= 0 else { throw Self.writeError(name.fileName, errno) }
    let file = OpenFile(descriptor)
    do throws(StorageError) {
      try fill(file)
      guard fsync(descriptor) == 0 else { throw Self.writeError(name.fileName, errno) }
      guard renameat(directory.descriptor, temporary, directory.descriptor, name.fileName) == 0 else {
        throw Self.writeError(name.fileName, errno)
      }
    } catch {
      unlinkat(directory.descriptor, temporary, 0)
      throw error
    }
    guard fsync(directory.descriptor) == 0 else {
      throw .failed("\(name.fileName) is written, but may be lost in a power cut: \(describe(errno)).")
    }
  }

  static func writeError(_ what: String, _ code: Int32) -> StorageError {
    switch code {
    case ENOSPC, EDQUOT, EFBIG:
      .full("\(what) cannot be written: \(describe(code)). Nothing has changed.")
    default: .failed("\(what) cannot be written: \(describe(code)). Nothing has changed.")
    }
  }
}

/// Work on whole directory trees that a tenant made: names of any bytes, any depth, any number and kind of
/// files, and a program that may change the tree meanwhile.
///
/// - **Nothing is followed.** A path is walked once (``TreePlace``); after that there are only descriptors, and
///   names in them.
/// - **What is taken is taken away first.** Before a tree is removed or moved, it is renamed into a directory
///   that only root enters (``TreeStaging``), and each of its directories becomes root's before it is listed.
///   So its names stand still, whatever descriptors a tenant still has; what a tenant can damage is its own.
/// - **Memory and descriptors are bounded**, and there is no recursion.
/// - **An interrupted call is repeated** with the same arguments, and continues. An entry that cannot be
///   handled does not stop the others; the error names the first (``TreeFailures``).
///
/// A tree may have millions of files: never call these functions on the event loop. At most one call at a
/// time may work on a path.
public enum FileTree {}

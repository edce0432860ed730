// Calls of this module throw Linux's Errno and take its descriptors: whoever imports the one needs the other.
@_exported public import Linux

// Functions of this module throw Linux's Errno and take its descriptors, so every importer needs both.
@_exported public import Linux

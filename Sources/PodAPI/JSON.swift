// Every answer can be had as JSON (podctl(1), "JSON"), so whoever imports this room has the type for it, too.
@_exported public import JSONFormat

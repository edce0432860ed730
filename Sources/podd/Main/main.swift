internal import Glibc
internal import PoddCore

exit(Podd.run(CommandLine.arguments))

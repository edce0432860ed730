internal import Glibc
internal import PodgateCore

exit(Podgate.run(CommandLine.arguments))

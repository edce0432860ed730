internal import Glibc
internal import PodserveCore

exit(Program.run())

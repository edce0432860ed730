internal import CLinux
internal import PodctlCore

Podctl.mainAndExit((0..<linux_argument_count()).dropFirst().map { String(cString: linux_argument($0)) })

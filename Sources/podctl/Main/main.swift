internal import PodctlCore

Podctl.mainAndExit()

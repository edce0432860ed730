/* What Swift's CommandLine asks its runtime for. The runtime's own version searches the stack for the arguments,
 * with fopen and sscanf on /proc/self/maps, at every start of every program (CommandLine.cpp, Swift 6.3): a tenth
 * of podctl's instructions and of podserve's start. glibc gives its constructors what it gives main(). Linked
 * statically, ours is found first and the runtime's is left out. Should that file ever define more than these two,
 * the linker says so; should their meaning change, only running the packaged programs does. */

static int count;
static char **arguments;

__attribute__((constructor)) static void keep_arguments(int argc, char **argv) {
        count = argc;
        arguments = argv;
}

char **_swift_stdlib_getUnsafeArgvArgc(int *argc) {
        *argc = count;
        return arguments;
}

void _swift_stdlib_overrideUnsafeArgvArgc(char **argv, int argc) {
        arguments = argv;
        count = argc;
}

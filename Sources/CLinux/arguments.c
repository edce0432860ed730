/* The functions from which Swift's CommandLine gets the arguments. The runtime's own version searches the stack for
 * them, with fopen and sscanf on /proc/self/maps, at every start of every program (CommandLine.cpp, Swift 6.3): a tenth
 * of podctl's instructions and of podserve's start. glibc passes to constructors what it passes to main(). In a static
 * link this definition is found first and the runtime's is left out. If the runtime's file ever defines more than these
 * two functions, the linker fails; if their meaning changes, only a run of the packaged programs shows it. */

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

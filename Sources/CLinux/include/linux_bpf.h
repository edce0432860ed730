/* BPF programs that decide which addresses and ports the sockets of a cgroup may be bound to (bpf(2), Linux 5.1). They
 * need CAP_BPF or CAP_SYS_ADMIN, and CAP_NET_ADMIN. An attached program stays until the cgroup is removed, and applies
 * to the sockets that were created in the cgroup for as long as they exist, whichever process has them. Functions return
 * -errno on failure. */
#pragma once
#include <stdint.h>

/* One instruction, as the kernel reads it (struct bpf_insn). */
struct linux_bpf_instruction {
        uint8_t code;
        /* The destination in the low four bits, the source in the high ones. */
        uint8_t registers;
        int16_t offset;
        int32_t immediate;
};
/* More than any program here has. */
#define LINUX_BIND_PROGRAM_MAX 32

/* Allows `port` at `address` (network byte order) and at all addresses at once (0.0.0.0, ::), and ports that the kernel
 * chooses at any address outside `network`/`mask` but `address`. Everything else is refused with EPERM. `family` is
 * AF_INET or AF_INET6; mapped addresses count as IPv4. Returns the number of instructions. */
int linux_bind_program(
        struct linux_bpf_instruction *program, int family, uint32_t address, uint16_t port, uint32_t network,
        uint32_t mask);
/* Refuses everything to processes whose uid is one of `count` from `first` on, and allows everything to
 * others. */
int linux_bind_program_without(struct linux_bpf_instruction *program, uint32_t first, uint32_t count);

/* Attaches linux_bind_program() for both families to a cgroup, which is given by a descriptor of its directory. Does
 * nothing where one is attached already. */
int linux_limit_binds(int cgroup, uint32_t address, uint16_t port, uint32_t network, uint32_t mask);
/* The same with linux_bind_program_without(). */
int linux_refuse_binds(int cgroup, uint32_t first, uint32_t count);
/* 1 when the cgroup has such programs for both families, else 0. */
int linux_has_bind_program(int cgroup);

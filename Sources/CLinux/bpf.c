#define _GNU_SOURCE
#include "CLinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By this name a program is recognised. */
static const char name[BPF_OBJ_NAME_LEN] = "podctl_bind";

_Static_assert(sizeof(struct linux_bpf_instruction) == sizeof(struct bpf_insn), "struct bpf_insn");
/* Programs on one cgroup for one hook: BPF_CGROUP_MAX_PROGS of the kernel. */
enum { PROGRAMS_MAX = 64 };

static const struct {
        int family;
        enum bpf_attach_type hook;
} hooks[] = { { AF_INET, BPF_CGROUP_INET4_BIND }, { AF_INET6, BPF_CGROUP_INET6_BIND } };
enum { HOOKS = sizeof hooks / sizeof hooks[0] };

/* Assembling: a jump is added with an open end, and land() lets it end at the next instruction. */

struct code {
        struct linux_bpf_instruction *at;
        int count;
};

static int add(struct code *code, unsigned op, unsigned to, unsigned from, size_t offset, uint32_t immediate) {
        code->at[code->count] = (struct linux_bpf_instruction) {
                .code = (uint8_t) op,
                .registers = (uint8_t) (to | from << 4),
                .offset = (int16_t) offset,
                .immediate = (int32_t) immediate,
        };
        return code->count++;
}

static void load(struct code *code, unsigned to, size_t field) {
        add(code, BPF_LDX | BPF_MEM | BPF_W, to, BPF_REG_1, field, 0);
}
static void set(struct code *code, unsigned to, uint32_t value) { add(code, BPF_ALU | BPF_MOV | BPF_K, to, 0, 0, value); }
static void copy(struct code *code, unsigned to, unsigned from) { add(code, BPF_ALU | BPF_MOV | BPF_X, to, from, 0, 0); }
static void or(struct code *code, unsigned to, unsigned from) { add(code, BPF_ALU | BPF_OR | BPF_X, to, from, 0, 0); }
static void leave(struct code *code) { add(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }
static int equal(struct code *code, unsigned what, uint32_t value) {
        return add(code, BPF_JMP32 | BPF_JEQ | BPF_K, what, 0, 0, value);
}
static int other(struct code *code, unsigned what, uint32_t value) {
        return add(code, BPF_JMP32 | BPF_JNE | BPF_K, what, 0, 0, value);
}
static void land(struct code *code, int jump) { code->at[jump].offset = (int16_t) (code->count - jump - 1); }

int linux_bind_program(
        struct linux_bpf_instruction *program, int family, uint32_t address, uint16_t port, uint32_t network,
        uint32_t mask) {
        /* struct bpf_sock_addr has addresses and the port in network byte order. */
        enum { ANSWER = BPF_REG_0, PORT = BPF_REG_2, ADDRESS = BPF_REG_3, WORD = BPF_REG_4, PREFIX = BPF_REG_5 };
        struct code code = { .at = program };
        int is_six[2] = { 0 }, is_mapped = 0;
        set(&code, ANSWER, 1);
        load(&code, PORT, offsetof(struct bpf_sock_addr, user_port));
        if (family == AF_INET) {
                load(&code, ADDRESS, offsetof(struct bpf_sock_addr, user_ip4));
        } else {
                load(&code, ADDRESS, offsetof(struct bpf_sock_addr, user_ip6[0]));
                load(&code, WORD, offsetof(struct bpf_sock_addr, user_ip6[1]));
                load(&code, PREFIX, offsetof(struct bpf_sock_addr, user_ip6[2]));
                or(&code, ADDRESS, WORD);
                is_six[0] = other(&code, ADDRESS, 0);
                /* The rest is an IPv4 address: mapped, or 0.0.0.0 for ::. */
                load(&code, ADDRESS, offsetof(struct bpf_sock_addr, user_ip6[3]));
                is_mapped = equal(&code, PREFIX, htonl(0xFFFF));
                copy(&code, WORD, ADDRESS);
                or(&code, WORD, PREFIX);
                is_six[1] = other(&code, WORD, 0);
                land(&code, is_mapped);
        }
        int is_own = equal(&code, ADDRESS, address);
        int is_any_port = equal(&code, PORT, 0);
        int is_foreign = other(&code, ADDRESS, 0);
        land(&code, is_own);
        int is_allowed = equal(&code, PORT, 0);
        int is_other_port = other(&code, PORT, htons(port));
        land(&code, is_allowed);
        leave(&code);
        land(&code, is_any_port);
        add(&code, BPF_ALU | BPF_AND | BPF_K, ADDRESS, 0, 0, mask);
        int is_of_others = equal(&code, ADDRESS, network);
        leave(&code);
        if (family == AF_INET6) {
                land(&code, is_six[0]);
                land(&code, is_six[1]);
                int is_chosen = other(&code, PORT, 0);
                leave(&code);
                land(&code, is_chosen);
        }
        land(&code, is_foreign);
        land(&code, is_other_port);
        land(&code, is_of_others);
        set(&code, ANSWER, 0);
        leave(&code);
        return code.count;
}

int linux_bind_program_without(struct linux_bpf_instruction *program, uint32_t first, uint32_t count) {
        enum { ANSWER = BPF_REG_0, UID = BPF_REG_1 };
        struct code code = { .at = program };
        add(&code, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_current_uid_gid);
        /* The uid is in the low 32 bits. */
        copy(&code, UID, ANSWER);
        add(&code, BPF_ALU | BPF_SUB | BPF_K, UID, 0, 0, first);
        set(&code, ANSWER, 0);
        int is_one = add(&code, BPF_JMP32 | BPF_JLT | BPF_K, UID, 0, 0, count);
        set(&code, ANSWER, 1);
        land(&code, is_one);
        leave(&code);
        return code.count;
}

/* Loading and attaching. */

static int bpf(enum bpf_cmd command, union bpf_attr *attributes) {
        /* EAGAIN: a signal interrupted the check of a program. */
        for (int attempt = 0;; attempt++) {
                long result = syscall(SYS_bpf, command, attributes, sizeof *attributes);
                if (result >= 0)
                        return (int) result;
                if ((errno != EINTR && errno != EAGAIN) || attempt == 5)
                        return -errno;
        }
}

static int is_ours(uint32_t id) {
        union bpf_attr attributes;
        memset(&attributes, 0, sizeof attributes);
        attributes.prog_id = id;
        int program = bpf(BPF_PROG_GET_FD_BY_ID, &attributes);
        /* It was removed meanwhile. */
        if (program == -ENOENT)
                return 0;
        if (program < 0)
                return program;
        struct bpf_prog_info info = { 0 };
        memset(&attributes, 0, sizeof attributes);
        attributes.info.bpf_fd = (uint32_t) program;
        attributes.info.info_len = sizeof info;
        attributes.info.info = (uintptr_t) &info;
        int result = bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes);
        close(program);
        return result < 0 ? result : memcmp(info.name, name, sizeof name) == 0;
}

static int has_program(int cgroup, enum bpf_attach_type hook) {
        uint32_t ids[PROGRAMS_MAX] = { 0 };
        union bpf_attr attributes;
        memset(&attributes, 0, sizeof attributes);
        attributes.query.target_fd = (uint32_t) cgroup;
        attributes.query.attach_type = hook;
        attributes.query.prog_ids = (uintptr_t) ids;
        attributes.query.prog_cnt = PROGRAMS_MAX;
        int result = bpf(BPF_PROG_QUERY, &attributes);
        for (uint32_t i = 0; result == 0 && i < attributes.query.prog_cnt && i < PROGRAMS_MAX; i++)
                result = is_ours(ids[i]);
        return result;
}

static int attach(int cgroup, enum bpf_attach_type hook, const struct linux_bpf_instruction *code, int count) {
        union bpf_attr attributes;
        memset(&attributes, 0, sizeof attributes);
        attributes.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR;
        attributes.expected_attach_type = hook;
        attributes.insns = (uintptr_t) code;
        attributes.insn_cnt = (uint32_t) count;
        /* It calls nothing that is for GPL programs only. */
        attributes.license = (uintptr_t) "";
        memcpy(attributes.prog_name, name, sizeof name);
        int program = bpf(BPF_PROG_LOAD, &attributes);
        if (program < 0)
                return program;
        memset(&attributes, 0, sizeof attributes);
        attributes.target_fd = (uint32_t) cgroup;
        attributes.attach_bpf_fd = (uint32_t) program;
        attributes.attach_type = hook;
        /* Programs of systemd, on this cgroup or on those above and below, also apply. */
        attributes.attach_flags = BPF_F_ALLOW_MULTI;
        int result = bpf(BPF_PROG_ATTACH, &attributes);
        close(program);
        return result;
}

/* Attaches a program for each hook where none is attached yet. */
static int limit(int cgroup, struct linux_bpf_instruction code[HOOKS][LINUX_BIND_PROGRAM_MAX], const int counts[HOOKS]) {
        for (int i = 0; i < HOOKS; i++) {
                int result = has_program(cgroup, hooks[i].hook);
                if (result > 0)
                        continue;
                if (result == 0)
                        result = attach(cgroup, hooks[i].hook, code[i], counts[i]);
                if (result < 0)
                        return result;
        }
        return 0;
}

int linux_limit_binds(int cgroup, uint32_t address, uint16_t port, uint32_t network, uint32_t mask) {
        struct linux_bpf_instruction code[HOOKS][LINUX_BIND_PROGRAM_MAX];
        int counts[HOOKS];
        for (int i = 0; i < HOOKS; i++)
                counts[i] = linux_bind_program(code[i], hooks[i].family, address, port, network, mask);
        return limit(cgroup, code, counts);
}

int linux_refuse_binds(int cgroup, uint32_t first, uint32_t count) {
        struct linux_bpf_instruction code[HOOKS][LINUX_BIND_PROGRAM_MAX];
        int counts[HOOKS];
        for (int i = 0; i < HOOKS; i++)
                counts[i] = linux_bind_program_without(code[i], first, count);
        return limit(cgroup, code, counts);
}

int linux_has_bind_program(int cgroup) {
        int result = 1;
        for (int i = 0; result == 1 && i < HOOKS; i++)
                result = has_program(cgroup, hooks[i].hook);
        return result;
}

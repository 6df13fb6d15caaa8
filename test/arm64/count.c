/*
 * A QEMU plugin that counts the instructions of a guest between its marks. A mark is the system call umask(027), which
 * costs next to nothing. At each, a line goes to a file: how many instructions the calling thread has executed so far,
 * and how many of them in one library. Other threads (V8 collects and compiles in some) are not told of.
 *
 *   qemu-aarch64 -plugin count.so,out=FILE,library=NAME PROGRAM     or QEMU_PLUGIN=count.so,out=FILE,library=NAME
 *
 * QEMU 10; compiled by counting-machine.ts against the header of the QEMU that loads it.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <qemu-plugin.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

/* of arm64 Linux: include/uapi/asm-generic/unistd.h */
enum { umask_call = 166, mmap_call = 222, mark = 027 };

static qemu_plugin_u64 executed;
static qemu_plugin_u64 executed_in_library;
static FILE *out;
static char library[256];

/* Where the library lies in QEMU's own memory, once the guest has mapped it. */
static uintptr_t library_start = UINTPTR_MAX;
static uintptr_t library_end = 0;
static bool maps_changed = true;

/* The first mapping of a library covers all of it, so that one look suffices. */
static void find_library(void)
{
    char line[4352];
    FILE *maps = fopen("/proc/self/maps", "r");
    if (maps == NULL) return;
    while (fgets(line, sizeof line, maps) != NULL) {
        uintptr_t start, end;
        if (strstr(line, library) == NULL) continue;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end) != 2) continue;
        if (start < library_start) library_start = start;
        if (end > library_end) library_end = end;
    }
    fclose(maps);
}

static bool is_in_library(struct qemu_plugin_tb *block)
{
    uintptr_t at = (uintptr_t)qemu_plugin_insn_haddr(qemu_plugin_tb_get_insn(block, 0));
    if (library_end == 0 && maps_changed) {
        maps_changed = false;
        find_library();
    }
    return at >= library_start && at < library_end;
}

/* Straight-line code is counted when it is entered: the counter is added to once a block, and not by a call. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    const size_t instructions = qemu_plugin_tb_n_insns(block);
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(block, QEMU_PLUGIN_INLINE_ADD_U64, executed, instructions);
    if (is_in_library(block))
        qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(block, QEMU_PLUGIN_INLINE_ADD_U64, executed_in_library,
                                                          instructions);
}

static void called(qemu_plugin_id_t id, unsigned int thread, int64_t number, uint64_t a1, uint64_t a2,
                   uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number == mmap_call) maps_changed = true;
    if (number != umask_call || a1 != mark) return;
    fprintf(out, "%" PRIu64 " %" PRIu64 "\n", qemu_plugin_u64_get(executed, thread),
            qemu_plugin_u64_get(executed_in_library, thread));
    fflush(out);
}

static qemu_plugin_u64 counter(void)
{
    return qemu_plugin_scoreboard_u64(qemu_plugin_scoreboard_new(sizeof(uint64_t)));
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0) out = fopen(argv[i] + 4, "w");
        if (strncmp(argv[i], "library=", 8) == 0) snprintf(library, sizeof library, "%s", argv[i] + 8);
    }
    if (out == NULL || library[0] == '\0') {
        fprintf(stderr, "count: expected out=FILE, to be written to, and library=NAME\n");
        return -1;
    }
    executed = counter();
    executed_in_library = counter();
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}

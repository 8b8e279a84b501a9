/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "CSystemCalls.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

int64_t csystemcalls_cached_pages(int descriptor, uint64_t offset, uint64_t length) {
    /* linux/mman.h has number and structures from 6.5 on; the number is one for all machines. */
    struct { uint64_t offset, length; } range = {offset, length};
    struct { uint64_t cached, dirty, under_writeback, evicted, recently_evicted; } found = {0};
    if (syscall(451, descriptor, &range, &found, 0) != 0) return -1;
    return (int64_t)found.cached;
}

int csystemcalls_start_queue(void) {
    return fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC);
}

int csystemcalls_start_queue_add(int queue, const char *program) {
    return fanotify_mark(queue, FAN_MARK_ADD, FAN_OPEN_EXEC, AT_FDCWD, program);
}

int csystemcalls_landlock_abi(void) {
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

int csystemcalls_landlock_create(uint64_t handled_access_fs) {
    struct landlock_ruleset_attr attributes = {.handled_access_fs = handled_access_fs};
    return (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
}

int csystemcalls_landlock_restrict_self(int ruleset) {
    return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}

int csystemcalls_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int csystemcalls_filter_calls(const void *instructions, uint16_t count, int all_threads) {
    struct sock_fprog program = {.len = count, .filter = (struct sock_filter *)instructions};
    unsigned int flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    if (all_threads) flags |= SECCOMP_FILTER_FLAG_TSYNC;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

int csystemcalls_idle_io(void) {
    /* IOPRIO_WHO_PROCESS = 1, IOPRIO_CLASS_IDLE = 3 (linux/ioprio.h, absent from some headers). */
    return (int)syscall(SYS_ioprio_set, 1, 0, 3 << 13);
}

int csystemcalls_batch_cpu(void) {
    struct sched_param none = {0};
    if (sched_setscheduler(0, SCHED_BATCH, &none) != 0) return -1;
    return setpriority(PRIO_PROCESS, 0, 19);
}

int csystemcalls_die_with_parent(void) {
    pid_t parent = getppid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return -1;
    if (parent != 1 && getppid() == parent) return 0;
    errno = ESRCH;
    return -1;
}

static void fill(const struct stat *from, struct csystemcalls_status *to) {
    to->device = from->st_dev;
    to->inode = from->st_ino;
    to->links = from->st_nlink;
    to->size = (uint64_t)from->st_size;
    to->mode = from->st_mode;
    to->blocks512 = (uint64_t)from->st_blocks;
    to->mtime_seconds = from->st_mtim.tv_sec;
    to->mtime_nanoseconds = from->st_mtim.tv_nsec;
    to->ctime_seconds = from->st_ctim.tv_sec;
    to->ctime_nanoseconds = from->st_ctim.tv_nsec;
}

int csystemcalls_fstat(int descriptor, struct csystemcalls_status *status) {
    struct stat raw;
    if (fstat(descriptor, &raw) != 0) return -1;
    fill(&raw, status);
    return 0;
}

int csystemcalls_fstatat(int directory, const char *path, struct csystemcalls_status *status) {
    struct stat raw;
    if (fstatat(directory, path, &raw, AT_SYMLINK_NOFOLLOW) != 0) return -1;
    fill(&raw, status);
    return 0;
}

int csystemcalls_stat(const char *path, struct csystemcalls_status *status) {
    struct stat raw;
    if (stat(path, &raw) != 0) return -1;
    fill(&raw, status);
    return 0;
}

int csystemcalls_mount_identifier(int directory, const char *name, uint64_t *identifier) {
    struct statx raw;
    int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    if (statx(directory, name, flags, STATX_MNT_ID, &raw) != 0) return -1;
    *identifier = raw.stx_mnt_id;
    if (raw.stx_mask & STATX_MNT_ID) return 0;
    errno = ENOSYS;
    return -1;
}

int csystemcalls_pipe(int *reading, int *writing) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    *reading = ends[0];
    *writing = ends[1];
    return 0;
}

int csystemcalls_become(int descriptor, int other) { return dup3(other, descriptor, O_CLOEXEC); }

int csystemcalls_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

int csystemcalls_accept(int socket) { return accept4(socket, NULL, NULL, SOCK_CLOEXEC); }

int csystemcalls_unix_address(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) return -1;
    strcpy(address->sun_path, path);
    return 0;
}

int csystemcalls_peer_process(int socket, int32_t *process) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == -1) {
        return -1;
    }
    *process = credentials.pid;
    return 0;
}

int csystemcalls_is_ignored(int signal) {
    struct sigaction action;
    return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int csystemcalls_open_btrfs_inode(int mount, uint64_t subvolume, uint64_t inode,
                                  uint32_t generation) {
    /* struct btrfs_fid without a parent: fs/btrfs/export.h, FILEID_BTRFS_WITHOUT_PARENT = 0x4d. */
    struct {
        struct file_handle handle;
        unsigned char identity[20];
    } request;
    memset(&request, 0, sizeof request);
    request.handle.handle_bytes = sizeof request.identity;
    request.handle.handle_type = 0x4d;
    memcpy(request.handle.f_handle, &inode, 8);
    memcpy(request.handle.f_handle + 8, &subvolume, 8);
    memcpy(request.handle.f_handle + 16, &generation, 4);
    return open_by_handle_at(mount, &request.handle, O_RDONLY | O_CLOEXEC | O_NOATIME);
}

int csystemcalls_pick_file_system(int mount) {
    return (int)syscall(SYS_fspick, mount, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
}

int csystemcalls_set_flag(int context, const char *key) {
    return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, key, NULL, 0);
}

int csystemcalls_set_string(int context, const char *key, const char *value) {
    return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0);
}

int csystemcalls_apply_options(int context) {
    return (int)syscall(SYS_fsconfig, context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
}

ssize_t csystemcalls_write_nothing(int descriptor) { return pwrite(descriptor, "", 0, 0); }

/* What is tried: the kernel waits for leave to write before it looks the name up, and this one is
 * too long for any file system to have it. */
static int is_let_write(int directory) {
    char name[300];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    return unlinkat(directory, name, 0) != 0 && errno == ENAMETOOLONG;
}

pid_t csystemcalls_try_to_write(int directory, const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* Abstract: the first byte is zero, and the name ends with its length. */
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s", name);
    if (length < 0 || (size_t)length >= sizeof address.sun_path - 1) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int lock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (lock < 0) return -1;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    if (bind(lock, (struct sockaddr *)&address, size) != 0) {
        int reason = errno;
        close(lock);
        errno = reason;
        return reason == EADDRINUSE ? 0 : -1;
    }
    pid_t child = fork();
    if (child == 0) {
        /* Whoever reads what our parent writes must not wait for us: all but two are closed. */
        unsigned int low = (unsigned int)(lock < directory ? lock : directory);
        unsigned int high = (unsigned int)(lock < directory ? directory : lock);
        if (low > 0) syscall(SYS_close_range, 0, low - 1, 0);
        if (high > low + 1) syscall(SYS_close_range, low + 1, high - 1, 0);
        syscall(SYS_close_range, high + 1, ~0U, 0);
        _exit(is_let_write(directory) ? 0 : 1);
    }
    int reason = errno;
    close(lock);
    errno = reason;
    return child;
}

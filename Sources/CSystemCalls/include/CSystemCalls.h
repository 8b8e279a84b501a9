/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls that Swift cannot reach by itself: variadic syscall(2) wrappers, macros, and
 * structures whose trailing array the importer drops. No logic: every function is one call, but for
 * what runs between fork(2) and _exit(2), where Swift may not.
 */
#pragma once
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* Flags of open(2) that need _GNU_SOURCE, or are made of others. */
static const int csystemcalls_O_PATH = 010000000;
static const int csystemcalls_SEEK_DATA = 3;
static const int csystemcalls_O_TMPFILE = 020000000 | O_DIRECTORY;

/* cachestat(2), Linux 6.5: how many pages of a range of a file are in the page cache, or -1 with
 * errno: ENOSYS before that, EPERM where a filter does not know it. */
int64_t csystemcalls_cached_pages(int descriptor, uint64_t offset, uint64_t length);

/* fanotify(7): a queue that makes nobody wait and is read without waiting, and a program whose
 * starts it tells of (FAN_OPEN_EXEC, Linux 5.0). */
int csystemcalls_start_queue(void);
int csystemcalls_start_queue_add(int queue, const char *program);

/* landlock(7). The ABI version, or -1 with errno where the kernel has none. */
int csystemcalls_landlock_abi(void);
int csystemcalls_landlock_create(uint64_t handled_access_fs);
int csystemcalls_landlock_restrict_self(int ruleset);

/* prctl(2), PR_SET_NO_NEW_PRIVS. */
int csystemcalls_no_new_privileges(void);

/* seccomp(2), SECCOMP_SET_MODE_FILTER: a program of struct sock_filter for the calling thread, or
 * for all threads at once (SECCOMP_FILTER_FLAG_TSYNC; then the number of a thread that could not
 * be bound, if there is one). SPEC_ALLOW: no thread gets slower. */
int csystemcalls_filter_calls(const void *instructions, uint16_t count, int all_threads);

/* ioprio_set(2) for the calling process: the idle class. */
int csystemcalls_idle_io(void);

/* sched_setscheduler(2) and setpriority(2) for the calling thread: SCHED_BATCH, nice 19. */
int csystemcalls_batch_cpu(void);

/* This process ends when the thread that started it does (PR_SET_PDEATHSIG, SIGKILL). Returns -1
 * with errno ESRCH when the parent has gone already. */
int csystemcalls_die_with_parent(void);

/* stat/fstat/fstatat in fields that need no macro. */
struct csystemcalls_status {
    uint64_t device, inode, links, size, mode, blocks512;
    int64_t mtime_seconds, mtime_nanoseconds, ctime_seconds, ctime_nanoseconds;
};
int csystemcalls_stat(const char *path, struct csystemcalls_status *status);
int csystemcalls_fstat(int descriptor, struct csystemcalls_status *status);
int csystemcalls_fstatat(int directory, const char *path, struct csystemcalls_status *status);

/* statx(2), STATX_MNT_ID: the mount that a name leads to, nothing being mounted for it; of the
 * directory itself for the empty name. ENOSYS where the kernel does not say. */
int csystemcalls_mount_identifier(int directory, const char *name, uint64_t *identifier);

/* The name of a directory entry: d_name is an array that Swift imports as a tuple. */
static inline const char *csystemcalls_name(const struct dirent *entry) { return entry->d_name; }

/* posix_spawn_file_actions_addclosefrom_np(3), a GNU extension: closes this and all above. */
int csystemcalls_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

/* pipe2(2) with O_CLOEXEC. */
int csystemcalls_pipe(int *reading, int *writing);

/* dup3(2) with O_CLOEXEC: what is open under one number becomes what is open under another. */
int csystemcalls_become(int descriptor, int other);

/* accept4(2) with SOCK_CLOEXEC. */
int csystemcalls_accept(int socket);

/* The process at the other end of a Unix socket (SO_PEERCRED), as it was when it connected. */
int csystemcalls_peer_process(int socket, int32_t *process);

/* Fills a sockaddr_un; -1 when the path is too long for it. */
int csystemcalls_unix_address(const char *path, struct sockaddr_un *address);

/* Whether a signal is set to be ignored (sigaction(2)): Swift cannot compare with SIG_IGN. */
int csystemcalls_is_ignored(int signal);

/* A name_to_handle_at-like Btrfs file handle, opened: any inode of any subvolume, by number. */
int csystemcalls_open_btrfs_inode(int mount, uint64_t subvolume, uint64_t inode,
                                  uint32_t generation);

/* fspick(2), fsconfig(2), Linux 5.2: options of a file system that is mounted, by a descriptor of
 * the root of one of its mounts. What is set counts once it is applied. */
int csystemcalls_pick_file_system(int mount);
int csystemcalls_set_flag(int context, const char *key);
int csystemcalls_set_string(int context, const char *key, const char *value);
int csystemcalls_apply_options(int context);

/* pwrite(2) of no bytes: it changes nothing, and waits while the file system is frozen. */
ssize_t csystemcalls_write_nothing(int descriptor);

/* Starts a process that asks for leave to write to a directory's file system, changes nothing, and
 * ends; while that is frozen it waits, and nothing can end it (Linux 5.9). There is one of a name
 * at a time: 0 where there is one already. -1 with errno where none could be started. */
pid_t csystemcalls_try_to_write(int directory, const char *name);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's Btrfs interface as Swift can use it: the headers, and each ioctl number as a
 * constant (the importer drops macros that compute). Nothing here does anything.
 */
#pragma once
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static const unsigned long cbtrfs_TREE_SEARCH_V2 = BTRFS_IOC_TREE_SEARCH_V2;
static const unsigned long cbtrfs_INO_LOOKUP = BTRFS_IOC_INO_LOOKUP;
static const unsigned long cbtrfs_LOGICAL_INO_V2 = BTRFS_IOC_LOGICAL_INO_V2;
static const unsigned long cbtrfs_ENCODED_READ = BTRFS_IOC_ENCODED_READ;
static const unsigned long cbtrfs_ENCODED_WRITE = BTRFS_IOC_ENCODED_WRITE;
static const unsigned long cbtrfs_FS_INFO = BTRFS_IOC_FS_INFO;
static const unsigned long cbtrfs_SPACE_INFO = BTRFS_IOC_SPACE_INFO;
static const unsigned long cbtrfs_DEV_INFO = BTRFS_IOC_DEV_INFO;
static const unsigned long cbtrfs_GET_DEV_STATS = BTRFS_IOC_GET_DEV_STATS;
static const unsigned long cbtrfs_SCRUB_PROGRESS = BTRFS_IOC_SCRUB_PROGRESS;
static const unsigned long cbtrfs_QUOTA_RESCAN_STATUS = BTRFS_IOC_QUOTA_RESCAN_STATUS;
static const unsigned long cbtrfs_SYNC = BTRFS_IOC_SYNC; /* takes no argument */
static const unsigned long cbtrfs_FIDEDUPERANGE = FIDEDUPERANGE;
static const unsigned long cbtrfs_GETFLAGS = FS_IOC_GETFLAGS;
static const unsigned long cbtrfs_SETFLAGS = FS_IOC_SETFLAGS;
static const unsigned int cbtrfs_SUPER_MAGIC = BTRFS_SUPER_MAGIC;

/* Flags of INODE_ITEM; linux/btrfs_tree.h has them since 6.2 only. */
static const unsigned long long cbtrfs_INODE_NODATASUM = 1ULL << 0;
static const unsigned long long cbtrfs_INODE_NODATACOW = 1ULL << 1;
static const unsigned long long cbtrfs_INODE_NOCOMPRESS = 1ULL << 3;
static const unsigned long long cbtrfs_INODE_IMMUTABLE = 1ULL << 6;
static const unsigned long long cbtrfs_INODE_COMPRESS = 1ULL << 11;

/* Flags of FS_IOC_GETFLAGS that the importer drops or renames. */
static const unsigned int cbtrfs_FS_COMPR = FS_COMPR_FL;
static const unsigned int cbtrfs_FS_NOCOMP = FS_NOCOMP_FL;
static const unsigned int cbtrfs_FS_NOCOW = FS_NOCOW_FL;
static const unsigned int cbtrfs_FS_IMMUTABLE = FS_IMMUTABLE_FL;

/* The file system type of the file system an open file is on (fstatfs(2)), or -1 with errno. */
long cbtrfs_file_system_type(int descriptor);

/* struct iovec belongs to another module of the C library than the one Swift sees it through. */
static inline struct iovec cbtrfs_vector(void *base, size_t length) {
    struct iovec vector = {.iov_base = base, .iov_len = length};
    return vector;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/fs.h>

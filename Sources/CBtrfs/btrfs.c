/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "CBtrfs.h"

#include <sys/vfs.h>

long cbtrfs_file_system_type(int descriptor) {
    struct statfs status;
    return fstatfs(descriptor, &status) == 0 ? (long)status.f_type : -1;
}

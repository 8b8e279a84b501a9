// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
public import SystemPackage

extension Descriptor {
    /// Sets options of the file system that is mounted here (`fspick(2)`, `fsconfig(2)`, Linux 5.2;
    /// each as `compress=zstd:1` or `noacl`), all of them at once, or none.
    ///
    /// Not by `mount(2)`, which sets those of the mount as well, so that each of them would have to
    /// be said again: `noatime`, `nodev`. This one has nothing of the mount in it.
    ///
    /// The descriptor has to be of the root of a mount, for reading: EINVAL where it is not, where
    /// the file system knows no such option, or where it refuses the value. EPERM without
    /// CAP_SYS_ADMIN. What is read-only becomes writable where `ro` is not among the options.
    public borrowing func setFileSystemOptions(_ options: [String]) throws(Errno) {
        let context = Descriptor(owning: try checked(csystemcalls_pick_file_system(rawValue)))
        for option in options {
            if let sign = option.firstIndex(of: "=") {
                let key = String(option[..<sign])
                let value = String(option[option.index(after: sign)...])
                try checked(unsafe csystemcalls_set_string(context.rawValue, key, value))
            } else {
                try checked(unsafe csystemcalls_set_flag(context.rawValue, option))
            }
        }
        try checked(csystemcalls_apply_options(context.rawValue))
    }
}

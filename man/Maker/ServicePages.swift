// SPDX-License-Identifier: GPL-2.0-or-later

extension Documents {
    /// `qubes-btrfsd(8)`: the daemon, and the units that start it. The names of the units are names
    /// of the page, so that `man qubes-btrfsd.socket` finds it.
    func servicePage() throws -> String {
        var page = Roff("qubes-btrfsd", section: 8, source: Manual.source)
        page.name(
            ["qubes-btrfsd"] + (try units()),
            "Btrfs service for the qubes of a machine, and its units")
        page.section("Synopsis")
        page.lines(
            ["`/usr/libexec/qubes/qubes-btrfsd` [*OPTION* *PATH*] ..."]
                + (try units()).map { "`\($0)`" })
        page.section("Description")
        page.blocks(try service.section(""))
        for (title, section) in [
            ("Options", "Options"), ("Units", "Units"),
            ("Interrupted by a shutdown", "Interrupted by a shutdown"),
            ("Updated templates and new qubes", "Updated templates and new qubes"),
            ("Compression of new data", "Compression of new data"), ("Signals", "Signals"),
            ("Exit status", "How it ends"), ("Environment", "What it is told"),
        ] {
            page.section(title)
            page.blocks(try service.section(section))
        }
        page.section("Files")
        page.blocks(try architecture.section("Files of the running service"))
        page.section("Examples")
        page.item("`systemctl enable --now qubes-btrfsd.socket`", "Have it answer calls.")
        page.item(
            "`systemctl enable --now qubes-btrfs-weekly.timer`", "Share and compress every week.")
        page.item(
            "`systemctl enable --now qubes-btrfs-compress.service`",
            "Have what is written from now on compressed.")
        page.item(
            "`systemctl enable --now qubes-btrfs-follow.service`",
            "Optimize a template soon after it was updated.")
        page.item("`journalctl -u qubes-btrfsd`", "What it has written to the journal.")
        page.section("See also")
        page.paragraph(
            "**qvm-btrfs**(1), **qubes-btrfs**(7), **systemctl**(1), **systemd.unit**(5)")
        return page.text
    }

    /// `qubes-btrfs(7)`: what an administrator sets: features and policy.
    func overviewPage() throws -> String {
        var page = Roff("qubes-btrfs", section: 7, source: Manual.source)
        page.name(
            ["qubes-btrfs"],
            "features, policy and services for compression and dedupe of qubes on Btrfs")
        page.section("Description")
        page.blocks(try readme.section(""))
        page.section("Features")
        page.blocks(try features())
        page.section("Services")
        page.blocks(try service.section("Services"))
        page.section("Policy")
        let ways = try client.section("Two ways to the service")
        // The table of commands is the client's own page's.
        page.blocks(
            ways.filter { block in
                if case .table = block { false } else { true }
            })
        page.section("Files")
        page.item(
            "`/etc/qubes/policy.d/30-btrfs.policy`",
            "Your own lines, as `qvm-btrfs policy` prints them.")
        page.item(
            "`/etc/qubes/policy.d/include/btrfs-ro`, `/etc/qubes/policy.d/include/btrfs-rwx`",
            "Who may read, and who may change; yours, and never replaced.")
        page.item("`/etc/qubes/policy.d/80-btrfs.policy`", "Refuses everybody else.")
        page.item("`/etc/qubes-rpc/btrfs.*`", "One entry for each service: links to the socket.")
        page.section("Examples")
        page.item("`qvm-features work btrfs.compress zstd:9`", "Pack `work` tighter.")
        page.item("`qvm-features vault btrfs.skip 1`", "Leave `vault` alone.")
        page.item(
            "`qvm-features dom0 btrfs.dedupe-group.photos 'work archive'`",
            "These two may share equal data.")
        page.item(
            "`qvm-btrfs policy mgmt --tag created-by-mgmt`",
            "The lines by which `mgmt` may work on the qubes that it has made.")
        page.section("See also")
        page.paragraph("**qvm-btrfs**(1), **qubes-btrfsd**(8), **qvm-features**(1)")
        return page.text
    }

    private func units() throws -> [String] {
        for case .table(let rows) in try service.section("Units") {
            return rows.dropFirst().map { $0[0].replacing("`", with: "") }
        }
        throw ManualError.noSection("Units")
    }

    /// From the sentence before their table on.
    private func features() throws -> [Markdown.Block] {
        let blocks = try readme.section("Using it")
        let table = blocks.firstIndex { block in
            if case .table(let rows) = block { rows.first?.first == "feature" } else { false }
        }
        guard let table, table > 0 else { throw ManualError.noSection("feature") }
        return Array(blocks[(table - 1)...])
    }
}

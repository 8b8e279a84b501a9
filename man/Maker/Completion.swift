// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Client

extension Manual {
    /// The completions of each shell, by their paths in the checkout.
    public static func completions() throws -> [String: String] { [:] }
}

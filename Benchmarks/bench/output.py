# SPDX-License-Identifier: GPL-2.0-or-later
"""The table and the lines of the bars."""

MEBIBYTE = 1 << 20
HEAD = (f"{'':24} {'run':8} {'wall':>7} {'CPU s':>7} {'CPU s':>7} {'peak':>5} "
        f"{'freed':>8} {'of':>5} {'data':>8} {'meta':>6}\n"
        f"{'':24} {'':8} {'s':>7} {'tool':>7} {'all':>7} {'MiB':>5} "
        f"{'MB':>8} {'all':>5} {'MB':>8} {'x':>6}")


def megabytes(count, width=8):
    """Bytes in millions."""
    return f"{count / 1e6:{width},.0f}"


def describe(figures):
    """What the set is."""
    return (
        f"The set: {figures['files']} images, {megabytes(figures['referencedBytes'], 0)} MB "
        f"referenced, {megabytes(figures['onDiskBytes'], 0)} MB on disk\n"
        f"  unique 4 KiB blocks {megabytes(figures['uniqueBytes'], 0)} MB, allocated and never "
        f"written {megabytes(figures['unwrittenBytes'], 0)} MB\n"
        f"  so dedupe can free at most {megabytes(figures['possibleBytes'], 0)} MB")


def row(run, possible):
    """One run."""
    peak, freed = run["peakBytes"] / MEBIBYTE, run["freedBytes"]
    is_comparable = run["run"] == "first" and run["kind"] != "repeated"
    share = f"{100 * freed / possible:.0f}%" if is_comparable else ""
    grown = run["after"]["metadataBytes"] / run["before"]["metadataBytes"]
    text = (f"{run['tool']:24} {run['run']:8} {run['wallSeconds']:7.1f} "
            f"{run['processSeconds']:7.1f} {run['allSeconds']:7.1f} {peak:5.0f} "
            f"{megabytes(freed)} {share:>5} {megabytes(run['after']['dataBytes'])} {grown:6.2f}")
    return text if run["status"] == 0 else f"{text}  status {run['status']}"


def table(runs, figures):
    """Every run."""
    return "\n".join([HEAD] + [row(run, figures["possibleBytes"]) for run in runs])


def bar_lines(bars):
    """Every bar."""
    return "\n".join(f"BAR {bar['name']}: measured {bar['measured']}, wanted {bar['wanted']}: "
                     f"{bar['fate']}" for bar in bars)


def disturbances(runs):
    """Runs beside which the machine had other work, which the wall times then show."""
    found = [f"  {run['tool']}, {run['run']}: {run['backgroundCores']:.1f} cores before it, "
             f"{run['foreignSeconds']:.0f} CPU s during it"
             for run in runs if run["backgroundCores"] > 0.2
             or run["foreignSeconds"] > 0.1 * run["allSeconds"] + 1]
    return "\n".join(["The machine had other work beside these runs:"] + found) if found else ""

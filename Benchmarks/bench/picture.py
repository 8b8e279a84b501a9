# SPDX-License-Identifier: GPL-2.0-or-later
"""The picture for the README: bars of freed bytes and of wall time, one row a tool."""

from xml.sax.saxutils import escape

WIDTH, ROW, TOP, LEFT, BAR_WIDTH = 860, 34, 74, 200, 210
COLUMNS = ((LEFT, "freed, MB"), (LEFT + 330, "wall, seconds"))
STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #24292f }
    .title { font-size: 15px; font-weight: 600 }
    .quiet { fill: #57606a }
    .ours { fill: #0969da } .peer { fill: #8c959f } .limit { stroke: #cf222e }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .quiet { fill: #9198a1 }
      .ours { fill: #4493f8 } .peer { fill: #656c76 } .limit { stroke: #f85149 }
    }
"""


def text(x, y, words, kind="", anchor="start"):
    """A word."""
    return f'  <text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def rectangle(x, y, value, largest, kind, label):
    """A bar with its figure behind it; what is below nothing has none."""
    width = round(max(value, 0) / largest * BAR_WIDTH, 1) if largest > 0 else 0
    return [f'  <rect x="{x}" y="{y}" width="{width}" height="20" rx="2" class="{kind}"/>',
            text(x + width + 6, y + 15, label)]


def draw(title, rows, possible):
    """`rows` are (tool, is ours, freed bytes, seconds); `possible` the most that can be freed."""
    height = TOP + ROW * len(rows) + 34
    freed_limit = max([possible] + [row[2] for row in rows])
    wall_limit = max(row[3] for row in rows)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
             f'width="{WIDTH}" height="{height}" role="img">',
             f"  <title>{escape(title)}</title>", f"  <style>{STYLE}  </style>",
             text(16, 26, title, "title")]
    lines += [text(x, TOP - 14, name, "quiet") for x, name in COLUMNS]
    for index, (tool, is_ours, freed, seconds) in enumerate(rows):
        y, kind = TOP + index * ROW, "ours" if is_ours else "peer"
        lines.append(text(LEFT - 12, y + 15, tool, anchor="end"))
        lines += rectangle(COLUMNS[0][0], y, freed, freed_limit, kind, f"{freed / 1e6:,.0f}")
        lines += rectangle(COLUMNS[1][0], y, seconds, wall_limit, kind, f"{seconds:,.1f}")
    x = COLUMNS[0][0] + round(possible / freed_limit * BAR_WIDTH, 1)
    bottom = TOP + len(rows) * ROW - 8
    lines.append(f'  <line x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom}" class="limit" '
                 'stroke-width="1.5" stroke-dasharray="4 3"/>')
    lines.append(text(LEFT, bottom + 24, "dashed: what unique blocks of 4 KiB would allow "
                      f"({possible / 1e6:,.0f} MB)", "quiet"))
    return "\n".join(lines + ["</svg>", ""])


def of_runs(runs, figures):
    """The picture of the first runs of what dedupes."""
    rows = [(run["tool"], run["tool"].startswith("qubes-btrfs"), run["freedBytes"],
             run["wallSeconds"])
            for run in runs if run["run"] == "first" and run["kind"] in ("dedupe", "optimize")]
    title = (f"De-duplicating {figures['files']} Qubes images, "
             f"{figures['onDiskBytes'] / 1e9:.1f} GB on disk, cold, on {figures['cores']} cores")
    return draw(title, rows, figures["possibleBytes"])

// SPDX-License-Identifier: GPL-2.0-or-later

/// How the page looks. No font, picture or sheet from anywhere else.
enum PageStyle {
    /// How many colours families have before they begin again.
    static let familyColours = 8

    static let sheet: StaticString = """
        :root {
          color-scheme: light dark;
          --paper: #fbfaf8; --card: #ffffff; --ink: #1d2330; --soft: #5c6470; --line: #dcdad5;
          --track: #eceae5; --accent: #1f5fbf; --warn: #9a4a00; --warn-card: #fff4e5;
          --grey: #8b919b;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #14171d; --card: #1c2028; --ink: #e8e9ec; --soft: #a3aab6; --line: #323843;
            --track: #2a2f39; --accent: #8ab4f8; --warn: #ffb870; --warn-card: #33261a;
            --grey: #777f8c;
          }
        }
        .f0 { --c: #2f6db5; } .f1 { --c: #b0562b; } .f2 { --c: #3c7f4f; } .f3 { --c: #7d56a3; }
        .f4 { --c: #a8446b; } .f5 { --c: #24808a; } .f6 { --c: #8a6a1c; } .f7 { --c: #5a6a8f; }
        .fx { --c: #7a808a; }
        * { box-sizing: border-box; }
        body {
          margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 66rem; background: var(--paper);
          color: var(--ink); font: 1rem/1.5 system-ui, "Cantarell", "Noto Sans", sans-serif;
        }
        h1 { font-size: 1.75rem; line-height: 1.2; margin: 0; letter-spacing: -0.01em; }
        h2 { font-size: 1.2rem; margin: 2.75rem 0 0.25rem; }
        h3 { font-size: 1rem; margin: 0; }
        p { margin: 0.25rem 0 0.75rem; max-width: 44rem; }
        .soft, caption, figcaption, .when { color: var(--soft); }
        a { color: var(--accent); }
        a:focus-visible, summary:focus-visible {
          outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 3px;
        }
        .skip { position: absolute; left: -99rem; }
        .skip:focus { position: static; }
        .facts {
          display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr));
          gap: 0.75rem; margin: 1.5rem 0 0; padding: 0;
        }
        .facts div, .todo li {
          background: var(--card); border: 1px solid var(--line); border-radius: 10px;
          padding: 0.75rem 0.9rem;
        }
        .facts dt { color: var(--soft); font-size: 0.85rem; }
        .facts dd { margin: 0; font-size: 1.35rem; font-weight: 600; line-height: 1.3; }
        .facts dd small { display: block; font-size: 0.8rem; font-weight: 400; color: var(--soft); }
        .warning {
          border-left: 4px solid var(--warn); background: var(--warn-card); margin: 1rem 0;
          padding: 0.6rem 0.9rem; border-radius: 0 8px 8px 0; max-width: none;
        }
        .todo {
          display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr));
          gap: 0.75rem; padding: 0; margin: 0.75rem 0; list-style: none;
        }
        .todo .gain { font-size: 1.35rem; font-weight: 600; }
        .todo ul { padding: 0; margin: 0.5rem 0 0; list-style: none; }
        .todo ul li { border: 0; padding: 0 0 0.6rem; background: none; }
        code {
          font: 0.8rem/1.4 ui-monospace, "DejaVu Sans Mono", monospace; background: var(--track);
          border-radius: 4px; padding: 0.1rem 0.3rem; overflow-wrap: anywhere;
        }
        figure { margin: 0.75rem 0; }
        svg { display: block; width: 100%; height: auto; }
        svg.narrow { display: none; }
        svg text { font-family: inherit; fill: var(--ink); }
        svg a:focus-visible rect.frame, svg a:hover rect.frame {
          stroke: var(--ink); stroke-width: 3; outline: none;
        }
        .defs { position: absolute; width: 0; height: 0; }
        rect.own, i.own { fill: var(--c); background: var(--c); }
        rect.revisions, i.revisions {
          fill: color-mix(in srgb, var(--c) 58%, var(--card));
          background: color-mix(in srgb, var(--c) 58%, var(--card));
        }
        .stripe-paper { fill: var(--card); } .stripe { stroke: var(--c); stroke-width: 2.5; }
        rect.frame { fill: none; stroke: var(--paper); stroke-width: 1.5; }
        rect.family { fill: color-mix(in srgb, var(--c) 16%, var(--card)); }
        svg text.on { fill: #fff; } svg text.strong { font-weight: 600; }
        svg text.halo { paint-order: stroke; stroke: var(--card); stroke-width: 4px; }
        .legend { display: flex; flex-wrap: wrap; gap: 0.35rem 1.1rem; padding: 0; margin: 0.6rem 0;
          list-style: none; font-size: 0.875rem; }
        .key { display: inline-block; width: 0.9rem; height: 0.9rem; border-radius: 3px;
          vertical-align: -0.1rem; margin-right: 0.4rem; }
        i.shared, .key.shared {
          background: repeating-linear-gradient(
            135deg, var(--c) 0 2px, color-mix(in srgb, var(--c) 14%, var(--card)) 2px 6px);
        }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
        caption { text-align: left; padding: 0.25rem 0; font-size: 0.875rem; }
        th, td { padding: 0.35rem 0.5rem; text-align: right; white-space: nowrap; }
        th { font-weight: 600; } thead th { font-size: 0.8rem; color: var(--soft);
          vertical-align: bottom; border-bottom: 1px solid var(--line); }
        th:first-child, td:first-child { text-align: left; padding-left: 0; }
        tbody tr { border-bottom: 1px solid var(--line); }
        tfoot th, tfoot td { border-top: 2px solid var(--line); font-weight: 600; }
        td.bar { width: 34%; min-width: 9rem; padding-left: 0.75rem; }
        .bar span { display: flex; height: 1rem; background: none; border-radius: 3px;
          overflow: hidden; }
        .bar i { display: block; height: 100%; }
        .meter { background: var(--track); border-radius: 4px; height: 0.9rem; overflow: hidden;
          min-width: 6rem; }
        .meter i { display: block; height: 100%; background: var(--accent); }
        .meter.full i { background: var(--warn); }
        details { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
          padding: 0.5rem 0.9rem; margin: 0.4rem 0; }
        details:target { border-color: var(--accent); }
        summary { cursor: pointer; } summary b { margin-right: 0.5rem; }
        .run { font-size: 0.75rem; border: 1px solid var(--line); border-radius: 99px;
          padding: 0 0.45rem; color: var(--soft); font-weight: 400; margin-left: 0.4rem; }
        path.area { fill: color-mix(in srgb, var(--accent) 18%, transparent); }
        path.curve { fill: none; stroke: var(--accent); stroke-width: 2.5;
          stroke-linejoin: round; }
        line.grid { stroke: var(--line); } circle.job { fill: var(--card); stroke: var(--accent);
          stroke-width: 2.5; }
        svg text.axis { font-size: 12px; fill: var(--soft); }
        dl.words dt { font-weight: 600; } dl.words dd { margin: 0 0 0.5rem; max-width: 44rem; }
        footer { margin-top: 3rem; font-size: 0.85rem; color: var(--soft); }
        @media (max-width: 40rem) {
          body { padding: 1.25rem 0.9rem 3rem; }
          svg.wide { display: none; } svg.narrow { display: block; }
          .optional { display: none; }
          td.bar { min-width: 3.2rem; width: 18%; padding-left: 0.3rem; }
          th, td { padding: 0.35rem 0.25rem; font-size: 0.8rem; }
          th:first-child, td:first-child { white-space: normal; overflow-wrap: anywhere; }
          thead th { white-space: normal; }
          .run { display: block; width: fit-content; margin: 0; }
          .facts { grid-template-columns: 1fr 1fr; }
        }
        @media print {
          :root { --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb;
            --track: #eee; }
          body { max-width: none; padding: 0; font-size: 10pt; }
          * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
          h2 { break-after: avoid; } figure, tr, details, .todo li { break-inside: avoid; }
          details::details-content { content-visibility: visible; display: block; height: auto; }
          .skip { display: none; } a { color: inherit; text-decoration: none; }
        }

        """
}

/** Renders a run report in the requested format. */
import { reportBlocks, type ReportBlock } from './blocks.ts'
import { visible } from '../../../shared/visible.ts'
import { escaped } from './escaped.ts'
import type { ReportFormat } from './formats.ts'
import { barsSvg, curveSvg } from './charts.ts'
import type { RunReport } from './run-report.ts'

/** @returns a whole document that ends with a line break */
export function renderReport(report: RunReport, format: ReportFormat): string {
  if (format === 'json') return `${JSON.stringify(report, null, 2)}\n`
  const blocks = reportBlocks(report)
  return format === 'html' ? page(`Run ${report.run}`, blocks) : markdown(`Run ${report.run}`, blocks)
}

function markdown(title: string, blocks: readonly ReportBlock[]): string {
  const parts = blocks.flatMap((block) => {
    if (block.is === 'heading') return [`## ${marked(block.text)}`]
    if (block.is === 'text') return [marked(block.text)]
    if (block.is !== 'table') return []
    const line = (cells: readonly string[]): string => `| ${cells.map(marked).join(' | ')} |`
    return [[line(block.head), line(block.head.map(() => '---')), ...block.rows.map(line)].join('\n')]
  })
  return `${[`# ${title}`, ...parts].join('\n\n')}\n`
}

function marked(text: string): string {
  if (/^-+$/.test(text)) return text
  return visible(text)
    .replaceAll(/[\\|`*[\]]/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
}

/** No resources and no scripts: the report can be opened anywhere. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

/** Words that may be broken anywhere: URLs, paths, digests. */
const LONG_WORD = /\S{25}/

const STYLE = `
:root { color-scheme: light dark; --ink: #111827; --dim: #4b5563; --line: #d1d5db; --paper: #ffffff; --bar: #1d4ed8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e7eb; --dim: #9ca3af; --line: #374151; --paper: #111827; --bar: #60a5fa; } }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; background: var(--paper); color: var(--ink); font: 16px/1.5 Helvetica, Arial, sans-serif; }
h1, h2 { line-height: 1.2; overflow-wrap: anywhere; } h2 { margin-top: 2rem; break-after: avoid; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.9rem; }
td, th { border-bottom: 1px solid var(--line); padding: 0.3rem 0.8rem 0.3rem 0; text-align: left; vertical-align: top; overflow-wrap: break-word; max-width: 24rem; }
th { color: var(--dim); font-weight: normal; }
.facts td:last-child { max-width: none; }
.facts .long { overflow-wrap: anywhere; }
figure { margin: 1.5rem 0; } figcaption { color: var(--dim); } svg { width: 100%; max-width: 36rem; height: auto; }
svg text { fill: var(--ink); font-size: 14px; } svg rect { fill: var(--bar); }
svg polyline { fill: none; stroke: var(--bar); stroke-width: 2; } svg .axis { fill: none; stroke: var(--dim); }
@media screen and (max-width: 48rem) {
  body { padding: 1rem; } h1 { font-size: 1.5rem; }
  thead { display: none; } table, tbody { display: block; }
  tr { display: block; border-bottom: 1px solid var(--line); padding: 0.4rem 0; }
  td { display: block; border: 0; padding: 0.1rem 0; max-width: none; overflow-wrap: anywhere; }
  td[data-head]::before { content: attr(data-head) ': '; color: var(--dim); }
  .facts td:first-child { color: var(--dim); }
}
@media print {
  :root { color-scheme: light; --ink: #000; --dim: #333; --line: #999; --paper: #fff; --bar: #1d4ed8; }
  body { max-width: none; padding: 0; } tr, figure { break-inside: avoid; }
  .wide { overflow: visible; } table { font-size: 0.75rem; }
  td, th { max-width: none; overflow-wrap: normal; } .long { overflow-wrap: anywhere; }
}
`

function page(title: string, blocks: readonly ReportBlock[]): string {
  const row = (cells: readonly string[], tag: 'td' | 'th', head: readonly string[] = []): string => {
    // On a narrow screen values are stacked, each with its column head in front.
    const cell = (text: string, at: number): string => {
      const of = head[at] ?? ''
      const long = LONG_WORD.test(text) ? ' class="long"' : ''
      return `<${tag}${long}${of === '' ? '' : ` data-head="${escaped(of)}"`}><bdi>${escaped(text)}</bdi></${tag}>`
    }
    return `<tr>${cells.map(cell).join('')}</tr>`
  }
  const body = blocks.map((block) => {
    switch (block.is) {
      case 'heading':
        return `<h2>${escaped(block.text)}</h2>`
      case 'text':
        return `<p>${escaped(block.text)}</p>`
      case 'table': {
        const isFacts = block.head.every((cell) => cell === '')
        const head = isFacts ? '' : `<thead>${row(block.head, 'th')}</thead>`
        const rows = block.rows.map((cells) => row(cells, 'td', block.head)).join('\n')
        return `<div class="wide"><table${isFacts ? ' class="facts"' : ''}>${head}<tbody>${rows}</tbody></table></div>`
      }
      case 'bars':
        return barsSvg(block.title, block.bars)
      case 'curve':
        return curveSvg(block.title, block.points)
    }
  })
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    `<h1>${escaped(title)}</h1>`,
    ...body,
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

/** A report of a run in the format that is asked for: one value, three ways to write it. */
import { reportBlocks, type Block } from './blocks.ts'
import { escaped, visible } from './escaped.ts'
import type { ReportFormat } from './formats.ts'
import { barsSvg, curveSvg } from './pictures.ts'
import type { RunReport } from './run-report.ts'

/** @returns a whole document that ends with a line break */
export function renderReport(report: RunReport, format: ReportFormat): string {
  if (format === 'json') return `${JSON.stringify(report, null, 2)}\n`
  const blocks = reportBlocks(report)
  return format === 'html' ? page(`Run ${report.run}`, blocks) : markdown(`Run ${report.run}`, blocks)
}

function markdown(title: string, blocks: readonly Block[]): string {
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

/** Nothing is loaded, and nothing runs: a report may be opened wherever it was sent. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

const STYLE = `
:root { color-scheme: light dark; --ink: #111827; --dim: #4b5563; --line: #d1d5db; --paper: #ffffff; --bar: #1d4ed8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e7eb; --dim: #9ca3af; --line: #374151; --paper: #111827; --bar: #60a5fa; } }
@media print { :root { --ink: #000; --dim: #333; --line: #999; --paper: #fff; --bar: #1d4ed8; } tr, figure { break-inside: avoid; } }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; background: var(--paper); color: var(--ink); font: 16px/1.5 Helvetica, Arial, sans-serif; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.9rem; }
td, th { border-bottom: 1px solid var(--line); padding: 0.3rem 0.8rem 0.3rem 0; text-align: left; vertical-align: top; overflow-wrap: break-word; max-width: 24rem; }
th { color: var(--dim); font-weight: normal; }
figure { margin: 1.5rem 0; } figcaption { color: var(--dim); } svg { width: 100%; max-width: 36rem; height: auto; }
svg text { fill: var(--ink); font-size: 14px; } svg rect { fill: var(--bar); }
svg polyline { fill: none; stroke: var(--bar); stroke-width: 2; } svg .axis { fill: none; stroke: var(--dim); }
`

function page(title: string, blocks: readonly Block[]): string {
  const row = (cells: readonly string[], tag: 'td' | 'th'): string =>
    `<tr>${cells.map((cell) => `<${tag}><bdi>${escaped(cell)}</bdi></${tag}>`).join('')}</tr>`
  const body = blocks.map((block) => {
    switch (block.is) {
      case 'heading':
        return `<h2>${escaped(block.text)}</h2>`
      case 'text':
        return `<p>${escaped(block.text)}</p>`
      case 'table': {
        const head = block.head.every((cell) => cell === '') ? '' : `<thead>${row(block.head, 'th')}</thead>`
        return `<div class="wide"><table>${head}<tbody>${block.rows.map((cells) => row(cells, 'td')).join('\n')}</tbody></table></div>`
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

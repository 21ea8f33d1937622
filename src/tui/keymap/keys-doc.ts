/** docs/KEYS.md, made from the keymap. */
import { width } from '../draw/text.ts'
import type { Binding, Command } from './bindings.ts'
import { KEYMAP } from './bindings.ts'
import { shownKey } from './lookup.ts'

const escaped = (text: string): string => text.replaceAll('|', String.raw`\|`)

/** A Markdown table as prettier leaves it: every column as wide as its widest cell. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(3, ...rows.map((r) => width(r[i] ?? ''))))
  const put = (cells: readonly string[]): string =>
    `| ${widths.map((w, i) => (cells[i] ?? '') + ' '.repeat(w - width(cells[i] ?? ''))).join(' | ')} |`
  const [head = [], ...body] = rows
  return [put(head), put(widths.map((w) => '-'.repeat(w))), ...body.map(put)]
}

/** The whole document. */
export function keysDoc(): string {
  const groups = [...new Set(KEYMAP.map((b) => b.group))]
  const row = (b: Binding<Command>): readonly string[] => [
    escaped(b.keys.length === 0 ? 'palette only' : b.keys.map((k) => `\`${shownKey(k)}\``).join(' ')),
    escaped(b.label),
    `\`${b.command}\``,
  ]
  const sections = groups.flatMap((group) => [
    `## ${group}`,
    '',
    ...table([['keys', 'what', 'command'], ...KEYMAP.filter((b) => b.group === group).map(row)]),
    '',
  ])
  return [
    '# Keys',
    '',
    'Made from `src/tui/keymap/bindings.ts` by `node scripts/keys-doc.mjs`; a test compares. Where a key stands more than once, the',
    'first line whose condition holds on the open screen wins. In the UI, `?` shows the keys, `:` finds a command by name.',
    '',
    ...sections,
  ].join('\n')
}

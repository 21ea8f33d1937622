/** docs/KEYS.md, made from the keymap. */
import type { Binding, Command } from './bindings.ts'
import { KEYMAP } from './bindings.ts'
import { shownKey } from './lookup.ts'

const escaped = (text: string): string => text.replaceAll('|', String.raw`\|`)

/** The whole document. */
export function keysDoc(): string {
  const groups = [...new Set(KEYMAP.map((b) => b.group))]
  const row = (b: Binding<Command>): string => {
    const keys = b.keys.length === 0 ? 'palette only' : b.keys.map((k) => `\`${shownKey(k)}\``).join(' ')
    return `| ${escaped(keys)} | ${escaped(b.label)} | \`${b.command}\` |`
  }
  const sections = groups.map((group) =>
    [
      `## ${group}`,
      '',
      '| keys | what | command |',
      '| --- | --- | --- |',
      ...KEYMAP.filter((b) => b.group === group).map(row),
      '',
    ].join('\n'),
  )
  return [
    '# Keys',
    '',
    'Made from `src/tui/keymap/bindings.ts` by `node scripts/keys-doc.mjs`; a test compares. Where a key stands more than once, the',
    'first line whose condition holds on the open screen wins. In the UI, `?` shows the keys, `:` finds a command by name.',
    '',
    ...sections,
  ].join('\n')
}

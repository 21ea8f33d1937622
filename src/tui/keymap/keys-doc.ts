/** Generates docs/reference/KEYS.md from the keymap. */
import { width } from '../../render/screen-text.ts'
import { KEYMAP, type KeyCommand } from './bindings.ts'
import type { Binding } from './binding.ts'
import { shownKeyName } from './lookup.ts'

const escaped = (text: string): string => text.replaceAll('|', String.raw`\|`)

/** A Markdown table formatted as prettier does: each column as wide as its widest cell. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(3, ...rows.map((r) => width(r[i] ?? ''))))
  const put = (cells: readonly string[]): string =>
    `| ${widths.map((w, i) => (cells[i] ?? '') + ' '.repeat(w - width(cells[i] ?? ''))).join(' | ')} |`
  const [head = [], ...body] = rows
  return [put(head), put(widths.map((w) => '-'.repeat(w))), ...body.map(put)]
}

/** Section that is not generated from the bindings: which bytes of terminal input count as a key. */
const INPUT = `## What counts as a key

One read of the terminal is one key. This holds in the UI, in \`attach\`, and at the questions of the command line.

- **Reports and answers** of the terminal (mouse, focus, device, cursor, colours, modes) and sequences that are no key are swallowed whole, also
  when they arrive in pieces. The reports of mouse and focus are switched off when the program starts. A sequence that never ends is given up after half a
  second of silence, and after two seconds in all.
- **A paste** goes into the open text field, with any content. Line ends are left out (the editor of the Ask screen keeps them), and a tab becomes a blank. A
  control character is shown as \`\\x1b\` and does nothing. It never confirms: enter is a key of its own, behind a name that was pasted, too. Where no text field is
  open a paste is ignored, and the last row says so. One of more than 65,536 characters is ignored as a whole. A paste without an end is over after a
  second of silence.
- **Several keys in one read** come from a slow line, from a key that is held down, or from a paste in a terminal without bracketed paste. Keys that move
  (\`j\` \`k\` \`g\` \`G\` \`[\` \`]\`, arrows, pages, \`Home\` \`End\`, tabs, \`ctrl-d\` \`ctrl-u\`) are taken; so is \`ctrl-c\` pressed several times. In a text field they are text, without
  an enter at their end. All others are ignored with a note: press them one by one. A script that types for you (\`expect\`, \`tmux send-keys\`) sends enter by itself.
- **\`esc\`** is a key when nothing has followed it for 50 ms. A letter behind it in that time is that letter with alt, which does nothing.
- **\`delete\`** in a text field removes what is behind the caret, \`backspace\` what is before it.
`

/** The whole document. */
export function keysDoc(): string {
  const groups = [...new Set(KEYMAP.map((b) => b.group))]
  const row = (b: Binding<KeyCommand>): readonly string[] => [
    escaped(b.keys.length === 0 ? 'palette only' : b.keys.map((k) => `\`${shownKeyName(k)}\``).join(' ')),
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
    'Made from `src/tui/keymap/bindings.ts` by `node scripts/keys-doc.mjs`; a test compares. Where a key is listed more than once, the',
    'first line whose condition holds on the open screen wins. In the UI, `?` shows the keys, `:` finds a command by name.',
    '',
    ...sections,
    INPUT,
  ].join('\n')
}

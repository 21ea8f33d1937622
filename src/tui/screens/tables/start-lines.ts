/** Lines below the table list if the opened folder has no Delta table: the available keys. */
import { line, span, type Line } from '../../draw/line.ts'
import { KEYMAP, type KeyCommand } from '../../keymap/bindings.ts'
import { shownKeyName } from '../../keymap/lookup.ts'
import { padEnd, wrap } from '../../../render/screen-text.ts'
import type { State } from '../../state/state.ts'
import { lakeTables } from './stores.ts'

const KEY_CELLS = 7
const INDENT = 3

/** True if no Delta table was found, no store except the folder is open, and no filter is set. */
export function isStart(state: State): boolean {
  const { slots, lake, databases, stores, tables } = state
  if (lake === null || slots.tables.value === null || slots.tables.error !== null || tables.filter !== '') return false
  if (databases.length > 0 || stores.some(({ open }) => open)) return false
  return lakeTables(state).every(({ kind }) => kind !== 'delta')
}

/**
 * Keys with their actions, and the command `sluice demo`.
 * @param found true if the list above has an entry that can be opened
 */
export function startLines(cells: number, found: boolean): readonly Line[] {
  const room = cells - INDENT - 1
  const text = (words: string, tone?: 'muted'): readonly Line[] =>
    wrap(words, room).map((row) => line(`${' '.repeat(INDENT)}${row}`, tone))
  const keys: readonly (readonly [command: KeyCommand, words: string])[] = [
    ['store.add', 'add a database or a lake, by path or URL'],
    ...(found ? ([['open', 'show the tables of what was found here']] as const) : []),
    ['palette', 'any command by name'],
    ['help', 'the keys of this screen'],
  ]
  return [
    ...text('No Delta table was found here. You can:', 'muted'),
    ...keys.map(([command, words]) => [
      span(`${' '.repeat(INDENT)}${padEnd(keyOf(command), KEY_CELLS)}`, 'strong'),
      span(words),
    ]),
    ...text('`sluice demo` in a shell tries a small lake.', 'muted'),
  ]
}

function keyOf(command: KeyCommand): string {
  return shownKeyName(KEYMAP.find((binding) => binding.command === command)?.keys[0] ?? '')
}

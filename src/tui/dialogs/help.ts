/**
 * Two help pages, made from the keymap: one with the keys that work now, one with all keys. Groups of the open screen
 * come first.
 */
import { KEYMAP, type KeyCommand } from '../keymap/bindings.ts'
import type { Binding, KeyGroup } from '../keymap/binding.ts'
import { shownKeyName, workingBindings } from '../keymap/lookup.ts'
import { unavailableBindings } from '../keymap/reasons.ts'
import { block, fit, line, span, type Line } from '../draw/line.ts'
import { padEnd, width } from '../../render/screen-text.ts'
import type { State } from '../state/state.ts'
import { openScreen } from '../screens/index.ts'
import { matches } from '../screens/tables/tables-list.ts'

const KEYS = 13

/** Title of the help page: the screen whose keys it shows. */
export function helpTitle(state: State): string {
  const { title, helpTitle: ofState } = openScreen(state)
  return `Keys · ${ofState?.(state) ?? title}`
}

type Listed = readonly Binding<KeyCommand>[]

function keysOf({ keys }: Binding<KeyCommand>): string {
  return keys.length === 0 ? ': only' : keys.map(shownKeyName).join(' ')
}

/** The column of keys; longer keys shift their text. */
function keyCell(keys: string): string {
  return width(keys) < KEYS ? padEnd(keys, KEYS) : `${keys} `
}

/** Lines of a key group. The two keys of a pair share a line, except in search results. */
function groupLines(group: KeyGroup, from: Listed, find: string, cells: number): Line[] {
  const found = from.flatMap((b) => {
    if (b.group !== group) return []
    const keys = keysOf(b)
    const [shown, text] = find === '' && b.help !== undefined ? b.help : [keys, b.label]
    return matches(find, `${keys} ${b.label}`) ? [fit([span(keyCell(shown), 'info'), span(text)], cells)] : []
  })
  return found.length === 0 ? [] : [fit(line(group, 'strong'), cells), ...found, []]
}

/** Groups of keys, `cells` wide. From 76 cells on there are two columns; each group is added to the shorter column. */
function columns(groups: readonly KeyGroup[], from: Listed, find: string, cells: number): readonly Line[] {
  if (cells < 76) return groups.flatMap((group) => groupLines(group, from, find, cells))
  const half = Math.floor((cells - 2) / 2)
  const left: Line[] = []
  const right: Line[] = []
  for (const group of groups) (left.length <= right.length ? left : right).push(...groupLines(group, from, find, half))
  const rows = Math.max(left.length, right.length)
  const l = block(left, half, rows)
  const r = block(right, half, rows)
  return l.map((row, i) => [...row, span('  '), ...(r[i] ?? [])])
}

/** All keys, or those that `find` matches. */
export function helpLines(state: State, find: string, cells: number): readonly Line[] {
  const from: Listed = find === '' ? KEYMAP.filter((b: Binding<KeyCommand>) => b.unlisted !== true) : KEYMAP
  return columns(openScreen(state).keys, from, find, cells)
}

/** The keys that work now, and why other keys of the screen do nothing for the row under the cursor. */
export function helpLinesNow(state: State, cells: number): readonly Line[] {
  // An unlisted key is shown in the line of another key. It has its own line only if it has its own hint.
  const working = workingBindings(state).filter((b) => b.unlisted !== true || b.hint !== undefined)
  const missing = unavailableBindings(state).map(({ binding, reason }) =>
    fit([span(keyCell(keysOf(binding)), 'muted'), span(`${binding.label}: ${reason}`, 'muted')], cells),
  )
  return [
    ...columns(openScreen(state).keys, working, '', cells),
    ...(missing.length === 0 ? [] : [fit(line('NOT NOW', 'strong'), cells), ...missing]),
  ]
}

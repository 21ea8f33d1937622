/** Shared parts of the lists in the detail pane: rows, cursor, and texts for an empty list. */
import type { Page } from '../../../model/lake/answers.ts'
import { block, chosen, line, type Line, type Tone } from '../../draw/line.ts'
import { clean, width, wrap } from '../../../render/screen-text.ts'
import { pointedIn, pointerLines } from '../../../shared/pointed.ts'
import { failure, dataIdentity, knownValue } from '../../state/selectors.ts'
import type { ListPosition, DataName, State } from '../../state/state.ts'

/** Lines shown instead of a list: a note that it is being read, or the error. */
export function waitingLines(state: State, name: DataName, cells: number): Line[] {
  const wrong = failure(state, name, dataIdentity(state, name))
  if (wrong === null) return [line('   reading …', 'muted')]
  const room = Math.max(10, cells - 4)
  const [words = '', source, caret, ...rest] = wrong.split('\n')
  const pointed = source === undefined || caret === undefined ? null : pointedIn([words, source, caret].join('\n'))
  if (pointed === null) return wrapped(wrong, room, 'bad')
  return [
    ...wrapped(words, room, 'bad'),
    ...pointerLines(pointed, room - 2, width).map((row) => line(`     ${clean(row)}`, 'strong')),
    ...wrapped(rest.join(' '), room, 'plain'),
  ]
}

const wrapped = (text: string, room: number, tone: Tone): Line[] =>
  wrap(clean(text), room).map((row) => line(`   ${row}`, tone))

/** The `height` rows of a list from `at.top` on. A row that is not loaded yet is shown as `…`. */
export function pageRows<T>(
  state: State,
  page: Page<T>,
  at: ListPosition,
  height: number,
  cells: number,
  draw: (row: T, chosenRow: boolean) => Line,
): Line[] {
  const lines: Line[] = []
  for (let i = at.top; i < Math.min(page.total, at.top + height); i += 1) {
    const row = page.rows[i - page.from]
    const here = i === at.cursor
    const drawn = row === undefined ? line('   …', 'muted') : draw(row, here)
    lines.push(here && state.focus === 'detail' ? chosen(drawn, cells) : drawn)
  }
  return block(lines, cells, height)
}

/** As `pageRows`, for a fully loaded list. */
export function listRows<T>(
  state: State,
  rows: readonly T[],
  at: ListPosition,
  height: number,
  cells: number,
  draw: (row: T, chosenRow: boolean) => Line,
): Line[] {
  return pageRows(state, { rows, total: rows.length, from: 0 }, at, height, cells, draw)
}

/** The loaded page of a list, if it was read for what the screen shows now. */
export function loadedPage<K extends 'history' | 'files' | 'partitions'>(
  state: State,
  name: K,
): ReturnType<typeof knownValue<K>> {
  return knownValue(state, name, dataIdentity(state, name))
}

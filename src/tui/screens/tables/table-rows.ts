/** The list of tables: columns and rows. */
import type { TableRow } from '../../../model/lake/answers.ts'
import { drawnLines, isOneDatabase, type DrawnLine } from './drawn-list.ts'
import { cursorIndex, type ListRow } from './tables-list.ts'
import { databaseNote, relationHeading, relationLine } from './relations.ts'
import { age, bytes, shownCount } from '../../../render/screen-format.ts'
import { block, cell, chosen, line, span, type Line, type Span } from '../../draw/line.ts'
import { clean, cutMiddle, padEnd, wrap } from '../../../render/screen-text.ts'
import { marksOf } from '../../draw/theme.ts'
import type { State, TableSort } from '../../state/state.ts'
import { isTree } from './stores.ts'
import { isStart, startLines } from './start-lines.ts'
import { storeLine } from './store-lines.ts'
import { proofState, syncedState } from '../../views/states.ts'

type Column = {
  readonly id: TableSort
  readonly title: string
  readonly width: number
  readonly gap: number
  readonly right: boolean
}

const COLUMNS: readonly Column[] = [
  { id: 'version', title: 'VERSION', width: 7, gap: 1, right: true },
  { id: 'files', title: 'FILES', width: 9, gap: 2, right: true },
  { id: 'bytes', title: 'SIZE', width: 8, gap: 2, right: true },
  { id: 'changed', title: 'CHANGED', width: 7, gap: 2, right: true },
  { id: 'catalog', title: 'CATALOG', width: 11, gap: 2, right: false },
  { id: 'proof', title: 'PROVED', width: 10, gap: 1, right: false },
]

/** Columns that are dropped, in this order, if names would get fewer than 20 cells. */
const DROP: readonly TableSort[] = ['changed', 'proof', 'bytes', 'files', 'version']
const NAME_CELLS = 20
const MARK_CELLS = 3
/** Indentation of a store's content. */
const INDENT = 2

/** Columns that fit, and the remaining width of the name. */
export function tableColumns(cells: number): { readonly columns: readonly Column[]; readonly name: number } {
  let columns = COLUMNS
  const nameOf = (list: readonly Column[]): number =>
    cells - MARK_CELLS - list.reduce((sum, c) => sum + c.width + c.gap, 0)
  for (const drop of DROP) {
    if (nameOf(columns) >= NAME_CELLS) break
    columns = columns.filter((c) => c.id !== drop)
  }
  return { columns, name: nameOf(columns) }
}

function cellOf(row: TableRow, column: Column, state: State): Span {
  const marks = marksOf(state.ascii)
  const gap = ' '.repeat(column.gap)
  const side = column.right ? -column.width : column.width
  const put = (shown: string | Span): Span => {
    const { text, tone } = typeof shown === 'string' ? span(shown) : shown
    return span(gap + cell(text, side, tone).text, tone)
  }
  switch (column.id) {
    case 'version':
      return put(row.kind !== 'delta' ? marks.none : row.version === null ? '?' : String(row.version))
    case 'files':
      return put(row.kind !== 'delta' ? marks.none : shownCount(row.files))
    case 'bytes':
      return put(bytes(row.bytes))
    case 'changed':
      return put(age(row.changed, state.now))
    case 'catalog':
      return put(syncedState(row, state.syncs, marks))
    case 'proof':
      return put(proofState(row, marks))
    case 'name':
      return put(row.name)
  }
}

function heading(state: State, columns: readonly Column[], name: number): Line {
  const marks = marksOf(state.ascii)
  const { sort, descending } = state.tables
  const arrow = descending ? marks.down : marks.up
  const title = (text: string, id: TableSort): string => (sort === id ? `${text} ${arrow}` : text)
  return [
    span(' '.repeat(MARK_CELLS) + padEnd(title('TABLE', 'name'), name), 'strong'),
    ...columns.map((c): Span => {
      // If the title fills the column, the sort arrow is drawn in the gap next to it.
      const text = title(c.title, c.id)
      const cells = c.width + c.gap
      const made = c.right ? cell(text, -cells) : cell(' '.repeat(c.gap) + text, cells)
      return span(made.text, 'strong')
    }),
  ]
}

function markSpan(state: State, row: ListRow, at: boolean): Span {
  const marks = marksOf(state.ascii)
  const marked = state.tables.marks.has(row.key)
  const mark = `${at && marked ? marks.row : ' '}${marked ? marks.marked : at ? marks.row : ' '} `
  return span(mark, marked ? 'info' : 'plain')
}

function rowLine(
  state: State,
  row: ListRow,
  at: boolean,
  columns: readonly Column[],
  name: number,
  cells: number,
): Line {
  const mark = markSpan(state, row, at)
  const indent = isTree(state) ? INDENT : 0
  if (row.kind === 'store') return [mark, ...storeLine(state, row, cells - MARK_CELLS)]
  if (row.kind === 'relation') return [mark, ...relationLine(row.relation, cells - MARK_CELLS, state.ascii, indent)]
  return [
    mark,
    span(padEnd(' '.repeat(indent) + cutMiddle(row.name, name - indent), name)),
    ...columns.map((c) => cellOf(row, c, state)),
  ]
}

/** The list with its heading: `rows` lines, `cells` wide. */
export function tablesList(state: State, cells: number, rows: number): Line[] {
  const { columns, name } = tableColumns(cells)
  const cursor = cursorIndex(state)
  const one = isOneDatabase(state)
  const draw = (drawn: DrawnLine): Line => {
    switch (drawn.kind) {
      case 'blank':
        return []
      case 'sources':
        return line(' OTHER SOURCES', 'strong')
      case 'database':
        return relationHeading(state, drawn.database.title, cells, false)
      case 'note':
        return databaseNote(drawn.database, state.tables.filter, cells)
      case 'row': {
        const here = drawn.index === cursor
        const made = rowLine(state, drawn.row, here, columns, name, cells)
        return here && state.focus === 'list' ? chosen(made, cells) : made
      }
    }
  }
  // Draw only visible rows: a database may have thousands of tables.
  const lines = drawnLines(state)
  const seen = lines.slice(state.tables.top, state.tables.top + rows).map(draw)
  if (isStart(state)) {
    const found = lines.length > 0
    seen.push(...(found ? [line('')] : []), ...startLines(cells, found))
  } else if (lines.length === 0) seen.push(...emptyLines(state, cells))
  const head = one ? relationHeading(state, 'TABLE', cells, true) : heading(state, columns, name)
  return [head, ...block(seen, cells, rows - 1)]
}

function emptyLines(state: State, cells: number): Line[] {
  const slot = state.slots.tables
  if (slot.error !== null) return wrap(clean(slot.error), cells - 4).map((text) => line(`   ${text}`, 'bad'))
  if (slot.value === null) return [line('   looking for tables …', 'muted')]
  if (state.catalog === null) return [line('   no catalog is open, and no lake', 'muted')]
  if (state.tables.filter !== '') return [line(`   no table matches ${state.tables.filter} · esc shows all`, 'muted')]
  return [line(`   no Delta table under ${state.lake ?? 'this catalog'}`, 'muted')]
}

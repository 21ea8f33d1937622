/** The list of tables and what stands below it. */
import type { TableRow } from '../../engine/workbench.ts'
import { bar } from '../draw/bars.ts'
import { age, bytes, count, plural, seconds, timeOfDay, msOf } from '../draw/format.ts'
import type { Line, Span } from '../draw/line.ts'
import { block, cell, chosen, line, rule, span, spread } from '../draw/line.ts'
import { cutEnd, cutMiddle, padEnd } from '../draw/text.ts'
import { marksOf } from '../draw/theme.ts'
import { geometry, SUMMARY_ROWS, summaryRows, tablesHeight } from '../state/geometry.ts'
import { known } from '../state/selectors.ts'
import type { State, TableSort } from '../state/state.ts'
import { cursorIndex, cursorRow, visibleRows } from '../state/tables-list.ts'
import { catalogState, isRefused, proofState, shortFeature } from './states.ts'

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

/** What gives way first when the names would have fewer than 20 cells. */
const DROP: readonly TableSort[] = ['changed', 'proof', 'bytes', 'files', 'version']
const NAME_CELLS = 20
const MARK_CELLS = 3

/** Columns that fit, and the cells that are left for the name. */
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
  const put = (text: string, tone?: Span['tone']): Span => {
    const made = cell(text, side, tone)
    return { text: gap + made.text, tone: made.tone }
  }
  switch (column.id) {
    case 'version':
      return put(row.kind !== 'delta' ? marks.none : row.version === null ? '?' : String(row.version))
    case 'files':
      return put(row.kind !== 'delta' ? marks.none : count(row.files))
    case 'bytes':
      return put(bytes(row.bytes))
    case 'changed':
      return put(age(row.changed, state.now))
    case 'catalog': {
      const s = catalogState(row, marks)
      return put(s.text, s.tone)
    }
    case 'proof': {
      const s = proofState(row, marks)
      return put(s.text, s.tone)
    }
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
      // A sorted column shows its arrow even where the title fills it: the arrow takes the gap.
      const text = title(c.title, c.id)
      const cells = c.width + c.gap
      const made = c.right ? cell(text, -cells) : cell(' '.repeat(c.gap) + text, cells)
      return span(made.text, 'strong')
    }),
  ]
}

function rowLine(state: State, row: TableRow, at: boolean, columns: readonly Column[], name: number): Line {
  const marks = marksOf(state.ascii)
  const marked = state.tables.marks.has(row.key)
  const mark = `${at && marked ? marks.row : ' '}${marked ? marks.marked : at ? marks.row : ' '} `
  return [
    span(mark, marked ? 'info' : 'plain'),
    span(padEnd(cutMiddle(row.name, name), name)),
    ...columns.map((c) => cellOf(row, c, state)),
  ]
}

/** The list with its heading, `rows` lines of `cells`. */
export function tablesList(state: State, cells: number, rows: number): Line[] {
  const { columns, name } = tableColumns(cells)
  const shown = visibleRows(state)
  const cursor = cursorIndex(state)
  const lines: Line[] = []
  shown.forEach((row, index) => {
    if (row.kind !== 'delta' && (index === 0 || shown[index - 1]?.kind === 'delta')) {
      if (index > 0) lines.push([])
      lines.push(line(' OTHER SOURCES', 'strong'))
    }
    const drawn = rowLine(state, row, index === cursor, columns, name)
    lines.push(index === cursor && state.focus === 'list' ? chosen(drawn, cells) : drawn)
  })
  if (shown.length === 0) lines.push(emptyLine(state))
  return [heading(state, columns, name), ...block(lines.slice(state.tables.top), cells, rows - 1)]
}

function emptyLine(state: State): Line {
  const slot = state.slots.tables
  if (slot.error !== null) return line(`   ${slot.error}`, 'bad')
  if (slot.value === null) return line('   looking for tables …', 'muted')
  if (state.tables.filter !== '') return line(`   no table matches ${state.tables.filter} · esc shows all`, 'muted')
  return line(`   no Delta table under ${state.lake ?? 'this catalog'}`, 'muted')
}

/** How the states of all tables add up, in words; `≥` when the bytes of some are not known. */
function tally(rows: readonly TableRow[]): string {
  let size = 0
  const counts = { current: 0, behind: 0, stopped: 0, running: 0, unreadable: 0, notYet: 0 }
  for (const row of rows) {
    size += row.bytes ?? 0
    if (row.kind !== 'delta') continue
    if (row.error !== null || row.catalog.state === 'failed') counts.unreadable += 1
    else if (row.catalog.state === 'none') counts.notYet += 1
    else if (row.catalog.state === 'unfinished') counts.stopped += 1
    else counts[row.catalog.state] += 1
  }
  const some = (n: number, word: string): string[] => (n > 0 ? [`${n} ${word}`] : [])
  return [
    `${rows.some((row) => row.bytes === null) ? '≥ ' : ''}${bytes(size)}`,
    `${counts.current} current`,
    ...some(counts.behind, 'behind'),
    ...some(counts.running, 'running'),
    ...some(counts.stopped, 'stopped'),
    ...some(counts.unreadable, 'unreadable'),
    ...some(counts.notYet, 'not yet'),
  ].join(' · ')
}

/** The three lines below the list in one pane: the row, its last runs, and all together. */
export function tablesSummary(state: State, cells: number): Line[] {
  const rows = state.slots.tables.value ?? []
  const row = cursorRow(state)
  if (row === null) return [rule('', cells)]
  const label = (text: string): Span => span(` ${text.padEnd(9)}`, 'muted')
  const overview = known(state, 'overview', row.key)
  const facts: string[] = []
  if (row.kind !== 'delta') facts.push(row.kind === 'sqlite' ? 'SQLite database' : 'DuckDB database', row.location)
  else if (row.error !== null) facts.push(`${row.error.code} ${row.error.message}`)
  else {
    facts.push(plural(overview?.commits ?? null, 'commit'))
    if (row.partitionColumns.length > 0) facts.push(`by ${row.partitionColumns.join(',')}`)
    if (row.features.length > 0) facts.push(row.features.map(shortFeature).join(', '))
    if (row.catalog.state !== 'none')
      facts.push(`catalog answers from ${row.historyFrom === null ? '?' : `v${row.historyFrom}`}`)
  }
  const runs = lastRuns(state, row.name)
    .slice(0, 2)
    .map((run) =>
      `${run.command} ${timeOfDay(msOf(run.startedAt)).slice(0, 5)} ${run.status} ${run.duration}`.trimEnd(),
    )
  return [
    rule('', cells),
    [span(` ${cutEnd(row.name, Math.max(NAME_CELLS, cells - 30))}  `, 'strong'), span(facts.join(' · '))],
    row.error?.hint === undefined
      ? [label('last run'), span(runs.length === 0 ? 'none recorded' : runs.join(' · '))]
      : [label('do'), span(row.error.hint)],
    [label('in all'), span(tally(rows))],
  ]
}

export type LastRun = {
  readonly command: string
  readonly status: string
  readonly startedAt: string | undefined
  readonly duration: string
  readonly error: string | undefined
  readonly table: string
}

/** Recorded runs of a table, newest first; of all tables without a name. */
export function lastRuns(state: State, table: string | null): readonly LastRun[] {
  return (state.slots.runs.value ?? [])
    .filter((run) => table === null || run.table === table)
    .map((run) => {
      const from = msOf(run.startedAt)
      const to = msOf(run.completedAt)
      return {
        command: run.command,
        status: run.status === 'completed' ? 'ok' : run.status,
        startedAt: run.startedAt,
        duration: from === null || to === null ? '' : seconds(to - from),
        error: run.error,
        table: run.table,
      }
    })
}

function folderBars(state: State, cells: number, rows: number): Line[] {
  const sums = new Map<string, number>()
  for (const row of state.slots.tables.value ?? []) {
    if (row.kind !== 'delta' || row.bytes === null) continue
    const folder = row.name.includes('/') ? row.name.slice(0, row.name.indexOf('/')) : row.name
    sums.set(folder, (sums.get(folder) ?? 0) + row.bytes)
  }
  const folders = [...sums].sort((a, b) => b[1] - a[1]).slice(0, rows)
  const top = folders[0]?.[1] ?? 0
  const barCells = Math.max(4, cells - 24)
  return folders.map(([folder, size]) => [
    span(` ${padEnd(cutMiddle(folder, 9), 9)} `),
    span(padEnd(bar(top === 0 ? 0 : size / top, barCells, state.ascii), barCells), 'info'),
    span(bytes(size).padStart(11)),
  ])
}

function needy(state: State, cells: number, rows: number): Line[] {
  const marks = marksOf(state.ascii)
  const told: { readonly order: number; readonly line: Line }[] = []
  for (const row of state.slots.tables.value ?? []) {
    if (row.kind !== 'delta') continue
    const say = (order: number, mark: Span, text: string, key: string): void => {
      const left: Line = [span(' '), mark, span(` ${padEnd(cutMiddle(row.name, 17), 17)} ${text}`)]
      told.push({ order, line: spread(left, line(key === '' || cells < 70 ? '' : ` ${key} `, 'muted'), cells) })
    }
    if (row.error !== null && !isRefused(row)) say(0, span(marks.bad, 'bad'), row.error.message, 'enter: what to do')
    else if (row.error !== null) say(5, span(marks.refused, 'warn'), row.error.message, '')
    else if (row.proof.state === 'differs')
      say(
        1,
        span(marks.bad, 'bad'),
        `${plural(row.proof.differences, 'difference')} from the log at v${row.proof.version}`,
        'v looks again',
      )
    else if (row.catalog.state === 'failed') say(2, span(marks.bad, 'bad'), row.catalog.error.message, 'i tries again')
    else if (row.catalog.state === 'unfinished')
      say(
        3,
        span(marks.unfinished, 'warn'),
        `stopped at ${row.catalog.version === null ? `${row.catalog.percent} %` : `v${row.catalog.version}`}, i goes on from there`,
        '',
      )
    else if (row.catalog.state === 'behind')
      say(4, span(marks.behind, 'warn'), `${plural(row.catalog.commits, 'commit')} behind, i brings them`, '')
  }
  return told
    .sort((a, b) => a.order - b.order)
    .slice(0, rows)
    .map((t) => t.line)
}

/** The pane: list, and below it what fits of the panels. */
export function tablesPane(state: State, cells: number): Line[] {
  const g = geometry(state)
  if (g.mode === 'one') {
    const below = summaryRows(g.body) > 0 ? [[], ...tablesSummary(state, cells)] : []
    const list = tablesList(state, cells, tablesHeight(state) + 1)
    return block([...list, ...block(below, cells, below.length === 0 ? 0 : SUMMARY_ROWS)], cells, g.body)
  }
  const shown = visibleRows(state)
  const others = shown.some((row) => row.kind !== 'delta')
  const listRows = Math.min(g.body, 1 + Math.max(1, shown.length + (others ? 2 : 0)))
  const lines = tablesList(state, cells, listRows)
  let left = g.body - listRows - 1
  if (left >= 4) {
    const folders = folderBars(state, cells, Math.min(5, left - 1))
    lines.push([], rule('bytes by folder', cells), ...folders)
    left -= folders.length + 1
  }
  if (left >= 4) {
    const who = needy(state, cells, Math.min(8, left - 2))
    if (who.length > 0) lines.push([], rule('what needs you', cells), ...who)
  }
  return block(lines, cells, g.body)
}

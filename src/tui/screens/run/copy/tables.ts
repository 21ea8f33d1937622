/** List of tables of a copy with several tables. */
import { shownCount, percent, amount } from '../../../../render/screen-format.ts'
import { chosen, line, rule, span, type Line } from '../../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd } from '../../../../render/screen-text.ts'
import { marksOf } from '../../../draw/theme.ts'
import type { CopyProgress } from '../../../run/copy/copy-progress.ts'
import type { StreamTableView } from '../../../run/copy/follow-progress.ts'
import type { CopyTable, CopyTableState } from '../../../run/copy/copy-table.ts'
import type { RunView } from '../../../run/run-view.ts'
import { shownCopyTables, shownTable } from './copy-shown.ts'
import type { CopyLayout } from './copy-layout.ts'
import { scrollTop } from '../../../state/position.ts'
import type { State } from '../../../state/state.ts'
import { runMark } from '../../../views/states.ts'
import { streamTableLine } from './stream-tables.ts'

/** Mark of each state. */
const MARKED: Readonly<Record<CopyTableState, string>> = {
  waits: 'pending',
  copying: 'running',
  copied: 'running',
  ok: 'ok',
  failed: 'failed',
  refused: 'refused',
  stopped: 'stopped',
  skipped: 'skipped',
  paused: 'paused',
}

/** Title and `layout.tables` rows. */
export function tableList(state: State, run: RunView, copy: CopyProgress, layout: CopyLayout, cells: number): Line[] {
  const tables = shownCopyTables(state, run)
  const shown = shownTable(state, run)
  const at = Math.max(0, tables.indexOf(shown as CopyTable))
  const top = scrollTop(0, at, tables.length, layout.tables)
  const lines = tables.slice(top, top + layout.tables).map((table) => {
    const here = table === shown
    const stream = earlierCopyStream(table, copy)
    const made =
      stream === null
        ? tableLine(table, run, state, here, cells)
        : streamTableLine(table.name, stream, here ? marksOf(state.ascii).row : ' ', cells)
    return here && layout.cursor === 'tables' ? chosen(made, cells) : made
  })
  if (tables.length === 0) {
    const text = state.runs.errorsOnly ? 'nothing is wrong with any table · e shows all' : 'not known yet'
    lines.push(line(`   ${text}`, 'muted'))
  }
  return [rule(summary(copy, state), cells), ...lines]
}

/** Stream state of a table that an earlier run copied; null for a table that this run copies. */
function earlierCopyStream(
  { name, started, begun, result }: CopyTable,
  { follow }: CopyProgress,
): StreamTableView | null {
  if (started !== null || begun > 0 || result !== null) return null
  const stream = follow.tables.get(name)
  return stream === undefined || stream.state === 'copying' ? null : stream
}

function summary(copy: CopyProgress, state: State): string {
  const counts = new Map<CopyTableState | 'aside' | 'followed', number>()
  for (const table of copy.tables) {
    const one = lacksRowsOnly(table) ? 'aside' : earlierCopyStream(table, copy) === null ? table.state : 'followed'
    counts.set(one, (counts.get(one) ?? 0) + 1)
  }
  const some = (which: CopyTableState | 'aside' | 'followed', word: string): string[] =>
    counts.has(which) ? [`${word} ${counts.get(which) ?? 0}`] : []
  return [
    `tables ${copy.tables.length}`,
    ...some('ok', 'done'),
    ...some('aside', 'done but for quarantined rows'),
    ...some('followed', 'followed'),
    ...some('copied', 'copied'),
    ...some('copying', 'copying'),
    ...some('waits', 'waiting'),
    ...some('paused', 'paused'),
    ...some('skipped', 'left out'),
    ...some('stopped', 'stopped'),
    ...some('refused', 'refused'),
    ...some('failed', 'failed'),
    ...(state.runs.errorsOnly ? ['errors only'] : []),
  ].join(' · ')
}

/** True if all chunks are proved except for quarantined rows; the number of these rows then replaces the error. */
function lacksRowsOnly({ error, map }: CopyTable): boolean {
  const { all, proved, aside: quarantined } = map.counts()
  return error?.code === 'ROWS_ASIDE' && all > 0 && proved + quarantined === all
}

function tableLine(table: CopyTable, run: RunView, state: State, here: boolean, cells: number): Line {
  const marks = marksOf(state.ascii)
  const wide = cells >= 100
  const name = cells >= 160 ? 48 : wide ? 32 : 20
  const isQuarantined = lacksRowsOnly(table)
  const front = [
    span(here ? marks.row : ' '),
    isQuarantined ? span('!', 'warn') : runMark(MARKED[table.state], marks),
    span(` ${padEnd(cutMiddle(clean(table.name), name - 2), name)}`),
  ]
  if (table.error !== null && !isQuarantined) {
    const why = clean(`${table.error.code} ${table.error.message}`)
    return [...front, span(cutEnd(why, cells - name - 5), table.state === 'refused' ? 'warn' : 'bad')]
  }
  const flying = run.workers.reduce((sum, worker) => sum + (worker.table === table.name ? worker.done : 0), 0)
  const read = table.tally.read + flying
  const part = table.state === 'ok' ? 1 : table.rows > 0 ? Math.min(0.99, read / table.rows) : null
  const { all, proved, aside: quarantined, failed } = table.map.counts()
  const wrong = wide
    ? [
        ...(failed > 0 ? [`${shownCount(failed)} failed`] : []),
        ...(quarantined > 0 ? [`${amount(table.tally.quarantined, 'row')} quarantined`] : []),
      ]
    : [
        ...(failed > 0 ? [`${marks.bad}${shownCount(failed)}`] : []),
        ...(quarantined > 0 ? [`!${shownCount(table.tally.quarantined)}`] : []),
      ]
  return [
    ...front,
    span(padEnd(isQuarantined ? 'done' : table.state, 8)),
    span(percent(part).padStart(6)),
    span(
      `${shownCount(Math.min(read, table.rows))}/${shownCount(table.rows)}${table.estimated ? ' est.' : ' rows'}`.padStart(
        wide ? 31 : 28,
      ),
    ),
    span(
      `  ${padEnd(all === 0 ? '' : `${shownCount(proved + quarantined)}/${shownCount(all)}${wide ? ' proved' : ''}`, wide ? 15 : 8)}`,
    ),
    span(wrong.join(wide ? ', ' : ' '), failed > 0 ? 'bad' : 'warn'),
  ]
}

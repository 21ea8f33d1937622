/** Layout of the screen of a copy. */
import type { RunView } from '../../../run/run-view.ts'
import { endingLines } from './ending.ts'
import { detailWanted } from './copy-shown.ts'
import { geometry } from '../../../state/geometry.ts'
import type { State } from '../../../state/state.ts'

export type CopyLayout = {
  readonly wide: boolean
  /** True: the tables of a replication stream replace the chunks. */
  readonly stream: boolean
  /** List that has the cursor; `none` if a small screen shows workers instead. */
  readonly cursor: 'tables' | 'chunks' | 'none'
  /** Rows below a title; 0 if the part is not shown. */
  readonly chart: number
  readonly tables: number
  readonly legend: boolean
  readonly workers: number
  readonly chunks: number
  readonly detail: number
  readonly log: number
  /** Rows about the result. */
  readonly ending: number
  /** True if the tables of a stream have a title. */
  readonly titled: boolean
  /** Empty rows between two parts. */
  readonly gap: 0 | 1
  /** True if an empty row fits above the legend. */
  readonly airy: boolean
}

const TITLE = 1
const STRIP = 3

/**
 * True if the run only replicates: its stream copies no table any more, or it is a `follow` or `cutover` run that has
 * not copied a table so far.
 */
export function isFollowing({ copy, operation: { kind } }: RunView): boolean {
  if (copy === null) return false
  return copy.follow.isWhole || ((kind === 'follow' || kind === 'cutover') && !copy.hasCopied)
}

function streamLayout(state: State, run: RunView): CopyLayout {
  const { columns, rows } = state.size
  const wide = columns >= 100 && rows >= 30
  const count = run.copy?.tables.length ?? 0
  const ending = Math.min(8, endingLines(run, columns).length)
  const { body } = geometry(state)
  const head = wide ? 6 : 5
  const left = body - head - 2 * (TITLE + 1) - (ending > 0 ? ending + 1 : 0)
  // On the smallest screen, rows of tables replace the title and the gap.
  const tight = left < 1
  const tables = Math.max(1, Math.min(count, tight ? body - head - ending : left - Math.max(3, Math.floor(left / 4))))
  return {
    wide,
    stream: true,
    cursor: count > 1 ? 'tables' : 'none',
    chart: 0,
    tables,
    legend: false,
    workers: 0,
    chunks: 0,
    detail: 0,
    log: Math.max(0, left - tables),
    ending,
    titled: !tight,
    gap: tight ? 0 : 1,
    airy: false,
  }
}

/** Rows of each part. Fixed parts come first; chunks and log share the remaining rows. */
export function copyLayout(state: State, run: RunView): CopyLayout {
  const { columns, rows } = state.size
  if (isFollowing(run)) return streamLayout(state, run)
  const body = geometry(state).body
  const wide = columns >= 100 && rows >= 30
  const tall = wide && rows >= 45
  const count = run.copy?.tables.length ?? 0
  const many = count > 1
  const { pane } = state.runs.copy
  const showsChunks = wide || pane === 'chunks' || state.runs.errorsOnly || run.finished !== null
  const showsTables = many && (wide || pane === 'top')
  const cursor = many && pane === 'top' ? 'tables' : showsChunks ? 'chunks' : 'none'
  const gap = wide || !many ? 1 : 0
  const airy = wide && (tall || !many)
  const ending = Math.min(8, endingLines(run, columns).length)
  let left = body - (wide ? 5 : 4) - (ending > 0 ? ending + gap : 0) - gap - STRIP
  const take = (size: number, title: number): number => {
    if (size <= 0 || left < size + title + gap) return 0
    left -= size + title + gap
    return size
  }
  // On a small screen the result needs every row.
  const legend = wide || (!showsTables && ending === 0)
  if (legend) left -= airy ? 2 : 1
  const tables = showsTables ? take(Math.min(count, tall ? 10 : wide ? 6 : 4), TITLE) : 0
  const most = tall ? 12 : wide ? 6 : 4
  const workers =
    run.finished !== null || (!wide && showsChunks)
      ? 0
      : take(Math.max(1, Math.min(run.copy?.workers ?? 1, most)), TITLE)
  const chart = tall && left >= 24 ? take(5, TITLE) : 0
  const showsList = showsChunks && !(showsTables && !wide)
  const detail = showsList && left >= 8 && detailWanted(state, run) ? take(airy || !wide ? 3 : 2, TITLE) : 0
  const least = airy ? 3 : 2
  const listed = showsList
    ? take(Math.max(2, Math.min(left - 3 - gap - least - TITLE - gap, Math.ceil(left * 0.7))), TITLE + 1)
    : 0
  const log = Math.max(0, left - TITLE - gap)
  // If the remaining rows are too few for a log, the chunks get them.
  const chunks = listed > 0 && log === 0 ? listed + left : listed
  const rest = { workers, chunks, detail, log, ending, titled: true, gap, airy } as const
  return { wide, stream: false, cursor, chart, tables, legend, ...rest }
}

/** What each worker of a copy is doing. */
import { progressBar } from '../../draw/bars.ts'
import { percent, seconds, shortRate } from '../../../render/screen-format.ts'
import type { Line } from '../../draw/line.ts'
import { line, span } from '../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd } from '../../../render/screen-text.ts'
import type { CopyProgress } from '../../run/copy/copy-progress.ts'
import { fitSpan } from '../../run/copy/key-axis.ts'
import { laneRate, type WorkerView, type RunView } from '../../run/run-view.ts'
import type { State } from '../../state/state.ts'

type Widths = { readonly table: number; readonly key: number; readonly bar: number }

const LANE = 5
const CHUNK = 6
const STEP = 9
const DONE = 6
const RATE = 10
const TRY = 5

function widths(cells: number, many: boolean): Widths {
  const table = many ? (cells >= 100 ? 24 : 14) : 0
  const key = cells >= 160 ? 44 : cells >= 100 ? 24 : many ? 15 : 18
  const used = 1 + LANE + CHUNK + 2 + table + key + STEP + DONE + RATE + TRY
  return { table, key, bar: Math.max(6, cells - used) }
}

/** A heading and `rows` workers. */
export function copyLanes(state: State, run: RunView, copy: CopyProgress, cells: number, rows: number): Line[] {
  const many = copy.tables.length > 1
  const w = widths(cells, many)
  const worked = run.lanes.length === 0 ? [copy.latest] : run.lanes.map(({ table }) => copy.table(table))
  const keys = new Set(worked.map((table) => table?.key.join(', ') ?? ''))
  const [key = ''] = keys
  const title = keys.size === 1 && key !== '' ? clean(key) : 'KEY'
  const head = ` ${padEnd('LANE', LANE)}${'CHUNK'.padStart(CHUNK - 1)}   ${many ? padEnd('TABLE', w.table) : ''}${padEnd(cutEnd(title, w.key - 1), w.key)}${padEnd('STEP', STEP)}${' '.repeat(w.bar)}${'DONE'.padStart(DONE)}${'RATE'.padStart(RATE)}${'TRY'.padStart(TRY)}`
  const more = run.lanes.length > rows ? run.lanes.length - rows + 1 : 0
  const drawn = run.lanes.slice(0, more > 0 ? rows - 1 : rows).map((lane) => laneLine(lane, run, state, copy, w))
  if (more > 0) drawn.push(line(`   … ${more} more lanes`, 'muted'))
  if (drawn.length === 0) drawn.push(line(`   ${idleText(run, copy)}`, 'muted'))
  return [line(head, 'strong'), ...drawn]
}

function idleText(run: RunView, copy: CopyProgress): string {
  if (run.phase === 'paused') return 'paused: p goes on'
  const held = copy.tables.filter(({ state }) => state === 'paused').length
  if (held === 0) return 'no lane works just now'
  return `nothing else is left: ${held === 1 ? 'a table is' : `${held} tables are`} paused, and P on its row goes on`
}

function laneLine(lane: WorkerView, run: RunView, state: State, copy: CopyProgress, w: Widths): Line {
  const range = fitSpan(lane.span, copy.table(lane.table)?.key ?? [], w.key - 2)
  const front = span(
    ` ${padEnd(`w${lane.worker}`, LANE)}${lane.chunk.padStart(CHUNK - 1)}   ${w.table === 0 ? '' : padEnd(cutMiddle(clean(lane.table), w.table - 2), w.table)}${padEnd(range, w.key)}`,
  )
  const tried = span(String(lane.attempt).padStart(TRY), lane.attempt > 1 ? 'warn' : 'plain')
  if (lane.waits !== null) {
    const chunk = copy.book.find(lane.table, lane.chunk)
    const left = Math.max(0, (chunk?.againAt ?? state.now) - state.now)
    const why = chunk?.error === null || chunk === null ? lane.waits : `${chunk.error.code} ${chunk.error.message}`
    const room = w.bar + DONE + RATE
    return [
      front,
      span(padEnd('waits', STEP), 'warn'),
      span(padEnd(cutEnd(clean(`${w.bar > 30 ? 'again in ' : ''}${seconds(left)}: ${why}`), room - 1), room), 'warn'),
      tried,
    ]
  }
  const proving = lane.step === 'proving'
  const part = proving ? 1 : lane.total > 0 ? Math.min(1, lane.done / lane.total) : null
  const perSecond = laneRate(run, lane, state.now)
  const speed = proving || perSecond === null ? '' : shortRate(perSecond)
  return [
    front,
    span(padEnd(lane.step ?? 'begins', STEP)),
    span(progressBar(part, w.bar, state.ascii), 'info'),
    span(`${percent(part).padStart(DONE)}${speed.padStart(RATE)}`),
    tried,
  ]
}

/** What each worker of a copy is doing. */
import { progressBar } from '../../../draw/bars.ts'
import { percent, seconds, shortRate } from '../../../../render/screen-format.ts'
import { line, span, type Line } from '../../../draw/line.ts'
import { clean, cutEnd, cutMiddle, padEnd } from '../../../../render/screen-text.ts'
import type { CopyProgress } from '../../../run/copy/copy-progress.ts'
import { fitKeyRange } from '../../../run/copy/key-axis.ts'
import { workerRate, type WorkerView, type RunView } from '../../../run/run-view.ts'
import type { State } from '../../../state/state.ts'

type Widths = { readonly table: number; readonly key: number; readonly bar: number }

const WORKER = 7
const CHUNK = 6
const STEP = 9
const DONE = 6
const RATE = 10
const TRY = 5

function widths(cells: number, many: boolean): Widths {
  const table = many ? (cells >= 100 ? 24 : 13) : 0
  const key = cells >= 160 ? 44 : cells >= 100 ? 24 : many ? 15 : 18
  const used = 1 + WORKER + CHUNK + 2 + table + key + STEP + DONE + RATE + TRY
  return { table, key, bar: Math.max(6, cells - used) }
}

/** A heading and `rows` workers. */
export function copyWorkers(state: State, run: RunView, copy: CopyProgress, cells: number, rows: number): Line[] {
  const many = copy.tables.length > 1
  const w = widths(cells, many)
  const worked = run.workers.length === 0 ? [copy.latest] : run.workers.map(({ table }) => copy.table(table))
  const keys = new Set(worked.map((table) => table?.key.join(', ') ?? ''))
  const [key = ''] = keys
  const title = keys.size === 1 && key !== '' ? clean(key) : 'KEY'
  const head = ` ${padEnd('WORKER', WORKER)}${'CHUNK'.padStart(CHUNK - 1)}   ${many ? padEnd('TABLE', w.table) : ''}${padEnd(cutEnd(title, w.key - 1), w.key)}${padEnd('STEP', STEP)}${' '.repeat(w.bar)}${'DONE'.padStart(DONE)}${'RATE'.padStart(RATE)}${'TRY'.padStart(TRY)}`
  const more = run.workers.length > rows ? run.workers.length - rows + 1 : 0
  const drawn = run.workers
    .slice(0, more > 0 ? rows - 1 : rows)
    .map((worker) => workerLine(worker, run, state, copy, w))
  if (more > 0) drawn.push(line(`   … ${more} more workers`, 'muted'))
  if (drawn.length === 0) drawn.push(line(`   ${idleText(run, copy)}`, 'muted'))
  return [line(head, 'strong'), ...drawn]
}

function idleText(run: RunView, copy: CopyProgress): string {
  if (run.phase === 'paused') return 'paused: p resumes'
  const held = copy.tables.filter(({ state }) => state === 'paused').length
  if (held === 0) return 'no worker has a chunk now'
  return `nothing else is left: ${held === 1 ? 'a table is' : `${held} tables are`} paused, and P on its row resumes it`
}

function workerLine(worker: WorkerView, run: RunView, state: State, copy: CopyProgress, w: Widths): Line {
  const range = fitKeyRange(worker.span, copy.table(worker.table)?.key ?? [], w.key - 2)
  const front = span(
    ` ${padEnd(`w${worker.worker}`, WORKER)}${worker.chunk.padStart(CHUNK - 1)}   ${w.table === 0 ? '' : padEnd(cutMiddle(clean(worker.table), w.table - 2), w.table)}${padEnd(range, w.key)}`,
  )
  const tried = span(String(worker.attempt).padStart(TRY), worker.attempt > 1 ? 'warn' : 'plain')
  if (worker.waits !== null) {
    const chunk = copy.keptChunks.find(worker.table, worker.chunk)
    const left = Math.max(0, (chunk?.againAt ?? state.now) - state.now)
    const why = chunk?.error === null || chunk === null ? worker.waits : `${chunk.error.code} ${chunk.error.message}`
    const room = w.bar + DONE + RATE
    return [
      front,
      span(padEnd('waits', STEP), 'warn'),
      span(padEnd(cutEnd(clean(`${w.bar > 30 ? 'again in ' : ''}${seconds(left)}: ${why}`), room - 1), room), 'warn'),
      tried,
    ]
  }
  const proving = worker.step === 'proving'
  const part = proving ? 1 : worker.total > 0 ? Math.min(1, worker.done / worker.total) : null
  const perSecond = workerRate(run, worker, state.now)
  const speed = proving || perSecond === null ? '' : shortRate(perSecond)
  return [
    front,
    span(padEnd(worker.step ?? 'begins', STEP)),
    span(progressBar(part, w.bar, state.ascii), 'info'),
    span(`${percent(part).padStart(DONE)}${speed.padStart(RATE)}`),
    tried,
  ]
}

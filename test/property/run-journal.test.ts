/** A viewer that joins a run late has the same totals, chunks and states as one that watched it from its start. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RunJournal } from '../../src/app/journal/run-journal.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { foldEvent } from '../../src/tui/run/fold.ts'
import { bytesNow, doneNow, freshRun, runProgress, type RunView } from '../../src/tui/run/run-view.ts'
import * as told from '../tui/support/copy-events.ts'

const BEGAN = Date.parse('2026-11-20T12:00:00.000Z')
const TABLES = ['public.a', 'public.b']
const CHUNKS = 150
const ROWS = 10
const ERROR = { code: 'CONNECTION_LOST', message: 'the server is gone', retryable: true } as const

/** Collects numbered events of a run. */
class Reported {
  readonly events: Event[] = []

  say(body: EventBody): void {
    const seq = this.events.length + 1
    this.events.push({ v: 1, seq, ts: new Date(BEGAN + seq * 250).toISOString(), runId: '1', ...body })
  }
}

type Step = { readonly kind: number; readonly table: number; readonly worker: number; readonly pick: number }

const spanOf = (chunk: number): { from: string[] | null; to: string[] | null } => ({
  from: chunk === 1 ? null : [String((chunk - 1) * ROWS)],
  to: chunk === CHUNKS ? null : [String(chunk * ROWS - 1)],
})

/** A copy with random events, which is steered often. */
function copyRun(steps: readonly Step[], earlier: number): readonly Event[] {
  const run = new Reported()
  const say = (body: EventBody): void => run.say(body)
  say({ type: 'run.started', command: 'copy', tool: 'sluice' })
  const lines = TABLES.map((table) => told.planLine(table, CHUNKS * ROWS))
  say(told.planned(lines))
  for (const table of TABLES) {
    const key = ['id']
    const edges = { low: '0', high: String(CHUNKS * ROWS) }
    const done = { chunks: String(earlier), rows: String(earlier * ROWS) }
    const sizes = { rows: String(CHUNKS * ROWS), estimated: false, chunkRows: String(ROWS), chunks: String(CHUNKS) }
    say({ type: 'copy.started', table, to: table, key, ...edges, ...sizes, done })
    for (let no = 1; no <= earlier; no++)
      say({ type: 'chunk.skipped', table, chunk: String(no), ...spanOf(no), ...tally(no) })
  }
  const next = TABLES.map(() => earlier + 1)
  const at = new Map<number, { table: string; chunk: string }>()
  for (const { kind, table: index, worker, pick } of steps) {
    const table = TABLES[index] ?? ''
    const has = at.get(worker)
    if (has === undefined) {
      const chunk = kind % 7 === 0 ? 1 + (pick % CHUNKS) : (next[index] ?? 1)
      if (chunk > CHUNKS || [...at.values()].some((one) => one.table === table && one.chunk === String(chunk))) continue
      if (kind % 7 !== 0) next[index] = chunk + 1
      at.set(worker, { table, chunk: String(chunk) })
      say({
        type: 'chunk.started',
        table,
        chunk: String(chunk),
        worker,
        total: String(ROWS),
        unit: 'row',
        ...spanOf(chunk),
      })
      continue
    }
    const here = { ...has, worker }
    const no = Number(has.chunk)
    if (kind < 8) {
      const sums =
        kind === 0 ? aside(no) : kind === 1 ? { ...tally(no), checksum: { source: '', target: '' } } : tally(no)
      if (kind === 0) say({ type: 'row.aside', ...has, key: ['7'], error: ERROR })
      say({ type: 'chunk.done', ...here, done: sums.written, unit: 'row', ms: 3, ...sums })
      at.delete(worker)
    } else if (kind === 8) {
      say({ type: 'chunk.failed', ...has, error: ERROR })
      at.delete(worker)
    } else if (kind === 9) {
      say({ type: 'chunk.released', ...has, reason: 'asked' })
      at.delete(worker)
    } else if (kind === 10) say({ type: 'chunk.retried', ...has, attempt: 2, waitMs: 10, error: ERROR })
    else if (kind === 11)
      say({
        type: 'chunk.progress',
        ...here,
        done: String(pick % ROWS),
        total: String(ROWS),
        unit: 'row',
        step: 'proving',
      })
    else if (kind === 12) {
      const act = (['pause', 'resume', 'skip', 'retry'] as const)[pick % 4] ?? 'pause'
      say({ type: 'table.steered', table, ...(pick % 3 === 0 ? {} : { chunk: String(1 + (pick % CHUNKS)) }), act })
    } else if (kind === 13) {
      const counted = { sourceBefore: '10', source: '10', expected: '10', target: '9' }
      const chunk = String(1 + (pick % CHUNKS))
      if (![...at.values()].some((one) => one.table === table && one.chunk === chunk))
        say({ type: 'look.difference', table, chunk, side: 'target', ...counted, ...spanOf(Number(chunk)) })
    } else if (kind === 14) {
      if (![...at.values()].some((one) => one.table === table))
        say({ type: 'table.finished', table, status: 'failed', ms: 1, error: ERROR })
    } else if (kind === 15) say({ type: 'run.steered', paused: pick % 2 === 0 })
    else say({ type: 'throttle.on', reason: 'busy', rate: String(pick) })
  }
  return run.events
}

const tally = (no: number) => ({
  read: String(ROWS),
  written: String(ROWS),
  skipped: '0',
  quarantined: '0',
  attempt: 1,
  bytes: String(no),
})
const aside = (no: number) => ({ ...tally(no), written: String(ROWS - 1), quarantined: '1' })

const at = (event: Event): number => Date.parse(event.ts)
const folded = (events: readonly Event[]): RunView =>
  events.reduce((run, event) => foldEvent(run, event, at(event)), freshRun(1, told.COPY, told.COMMAND, BEGAN))

/** The state that a viewer shows. */
function seen(run: RunView): unknown {
  const { copy } = run
  return {
    done: doneNow(run),
    bytes: bytesNow(run),
    share: runProgress(run),
    chunks: run.chunksDone,
    retries: run.retries,
    counts: run.counts,
    phase: run.phase,
    baseline: run.baseline,
    lanes: run.workers.map(({ worker, table, chunk, done, waits }) => ({ worker, table, chunk, done, waits })),
    tally: copy?.tally(),
    states: copy?.chunks(),
    begunAt: copy?.begunAt,
    workers: copy?.workers,
    throttle: copy?.throttle,
    active: [...(copy?.keptChunks.active ?? [])].map(({ table, no, state }) => `${table} ${no} ${state}`).toSorted(),
    tables: copy?.tables.map((table) => ({
      name: table.name,
      state: table.state,
      held: table.steering,
      begun: table.begun,
      here: table.here,
      before: table.before,
      strip: [table.map.cells(13), table.map.cells(80)],
      each: Array.from({ length: CHUNKS }, (_, no) => table.map.state(String(no + 1))),
      newest: copy.keptChunks
        .list(table.name, false)
        .filter(({ state }) => state === 'proved')
        .map(({ no, span }) => ({ no, span }))
        .slice(0, 20),
    })),
  }
}

const steps = fc.array(
  fc.record({ kind: fc.nat(16), table: fc.nat(1), worker: fc.integer({ min: 1, max: 5 }), pick: fc.nat(999) }),
  { minLength: 5, maxLength: 700 },
)

describe('a copy that is joined late', () => {
  it('is the same as one watched from its start', () => {
    fc.assert(
      fc.property(steps, fc.nat(40), fc.nat(1000), (program, earlier, when) => {
        const events = copyRun(program, earlier)
        const cut = Math.min(events.length, 1 + when)
        const journal = new RunJournal()
        for (const event of events.slice(0, cut)) journal.take(event)
        const snapshot = journal.snapshot()
        expect(seen(folded(snapshot))).toEqual(seen(folded(events.slice(0, cut))))
        expect(seen(folded([...snapshot, ...events.slice(cut)]))).toEqual(seen(folded(events)))
      }),
      { numRuns: 150 },
    )
  })
})

/** `runs --distributed`: the runs of a queue, or the state of one run's tasks. */
import { dec } from '../../../../model/run/event.ts'
import type { DistributedRun, TaskRow } from '../../../../model/share/distributed.ts'
import { isoTime } from '../../../../shared/clock.ts'
import { errorLine } from '../../../../shared/errors.ts'
import { causesOfTasks, notesOfTasks } from '../../causes.ts'
import { waitingText } from '../../waiting.ts'
import { unknownRun } from '../../unknown-run.ts'
import { isUnknownTable } from '../../steered-tables.ts'
import type { RunQueue } from '../../../../model/share/queue-port.ts'
import { openQueue } from '../../queues.ts'
import type { Ending, RunOf } from '../../../../engine/run/run-context.ts'
import type { sharedRuns, SharedRunsOperation } from './declaration.ts'

type SharedRuns = RunOf<typeof sharedRuns>

/** Limit of printed causes and table notes. */
const MOST_CAUSES = 20

/** @throws SluiceError NO_SUCH_PATH for an unknown run, CONNECT_FAILED, LEDGER_NEWER */
export async function performSharedRuns(operation: SharedRunsOperation, run: SharedRuns): Promise<Ending> {
  const { connect, limit, runId } = operation
  await using queue = await openQueue(connect, 'read')
  const runs = await queue.runs(runId === undefined ? limit : 1, runId)
  if (runId === undefined) {
    for (const one of runs) reportRun(one, run)
    for (const one of runs) reportWaiting(one, run)
    return { totals: { runs: dec(runs.length) } }
  }
  const [found] = runs
  if (found === undefined) throw unknownRun(runId, queue.label)
  const slots = await queue.slots(runId)
  for (const slot of slots) reportSlot(slot, run)
  await reportTables(found, slots, queue, run)
  for (const { host, error } of found.refusals)
    run.emit({ type: 'log', level: 'warn', message: `a worker on ${host} refuses the run: ${errorLine(error)}` })
  reportWaiting(found, run)
  reportCounted(found, run)
  await reportEnd(found, slots, queue, run)
  return { totals: { slots: dec(slots.length), rows: dec(found.rows) } }
}

/** Reports the end of a run: notes on its tables, causes of failure, and the run's own error with a hint. */
async function reportEnd(
  found: DistributedRun,
  slots: readonly TaskRow[],
  queue: RunQueue,
  run: SharedRuns,
): Promise<void> {
  const { error, status, exitCode } = found
  if (status === 'running') return
  const output = await queue.schedules.output(found.runId)
  const notes = notesOfTasks(output)
  for (const { table, note } of notes.slice(0, MOST_CAUSES))
    run.emit({ type: 'log', level: 'note', table, message: note })
  if (notes.length > MOST_CAUSES)
    run.emit({ type: 'log', level: 'note', message: `and ${notes.length - MOST_CAUSES} more notes of tables` })
  if (error === null) return
  const all = causesOfTasks(slots, output, error)
  for (const { table, message, hint } of all.slice(0, MOST_CAUSES)) {
    const about = table === undefined ? {} : { table }
    run.emit({ type: 'log', level: 'error', ...about, message, ...(hint === undefined ? {} : { hint }) })
  }
  if (all.length > MOST_CAUSES)
    run.emit({ type: 'log', level: 'error', message: `and ${all.length - MOST_CAUSES} more causes` })
  const message = `the run ended: ${status}, exit ${exitCode ?? '?'}: ${errorLine(error)}`
  run.emit({ type: 'log', level: 'error', message, ...(error.hint === undefined ? {} : { hint: error.hint }) })
}

function reportRun(one: DistributedRun, run: SharedRuns): void {
  const { runId, kind, commandLine, source, target, status, wishes, slots, rows, chunks, rate } = one
  run.emit({
    type: 'shared.run',
    run: runId,
    operation: kind,
    command: commandLine,
    ...(source === null ? {} : { source }),
    ...(target === null ? {} : { target }),
    status,
    paused: status === 'running' && (wishes.held === true || one.isUnconfirmed),
    queued: dec(slots.queued),
    working: dec(slots.working),
    ended: dec(slots.ended),
    rows: dec(rows),
    chunks: dec(chunks),
    ...(one.countedAt === null ? {} : { countedAt: isoTime(one.countedAt) }),
    rate: dec(Math.round(rate)),
    begunAt: isoTime(one.begunAt),
    ...(one.endedAt === null ? {} : { endedAt: isoTime(one.endedAt) }),
    ...(one.exitCode === null ? {} : { exitCode: one.exitCode }),
    ...(one.error === null ? {} : { error: errorLine(one.error) }),
    actor: one.actor,
    host: one.host,
    program: one.program,
    ...(one.isWaiting ? { waitsFor: one.program } : {}),
    ...(one.refusals.length === 0
      ? {}
      : { refusedBy: one.refusals.map(({ host, error }) => `${host}: ${errorLine(error)}`) }),
  })
}

function reportWaiting(one: DistributedRun, run: SharedRuns): void {
  const waiting = waitingText(one)
  if (waiting !== null) run.emit({ type: 'log', level: 'warn', ...waiting })
}

/** Warns that the counts of an ended run are from before its end. */
function reportCounted({ countedAt }: DistributedRun, run: SharedRuns): void {
  if (countedAt === null) return
  const message = `rows and chunks are as of ${isoTime(countedAt)}, before the end of the run: its ledger could not be read since`
  const hint = 'a live worker reads it again by itself, within a minute after it becomes reachable'
  run.emit({ type: 'log', level: 'warn', message, hint })
}

/** Reports steering requests for tables. Skips an ended run: its error names the tables that were left out. */
async function reportTables(
  one: DistributedRun,
  slots: readonly TaskRow[],
  queue: RunQueue,
  run: SharedRuns,
): Promise<void> {
  const { runId, status, wishes } = one
  const { tables = [], orderedAt = 0 } = wishes
  if (status !== 'running' || tables.length === 0) return
  const known = await queue.tables(runId)
  const unheard = slots.filter(
    ({ state, isLost, beatAt }) => state === 'working' && !isLost && (beatAt ?? 0) <= orderedAt,
  )
  for (const { table, chunk, held } of tables) {
    run.emit({
      type: 'shared.table',
      run: runId,
      table,
      ...(chunk === undefined ? {} : { chunk }),
      held,
      unheard: dec(unheard.length),
    })
    if (known === null || !isUnknownTable(table, known)) continue
    // The request was made before the first task had planned its tables, or when a stream had just begun.
    run.emit({
      type: 'log',
      level: 'warn',
      table,
      message: `no task of the run has a table ${table} that can be steered: nothing is paused`,
    })
  }
}

function reportSlot(slot: TaskRow, run: SharedRuns): void {
  const { runId, no, about, state, isLost, turns, host, ledgerRun, rows, chunks, rate, beatAt, exitCode, error } = slot
  run.emit({
    type: 'shared.slot',
    run: runId,
    slot: dec(no),
    about,
    state: isLost ? 'lost' : state,
    turns: dec(turns),
    ...(host === null ? {} : { host }),
    ...(ledgerRun === null ? {} : { ledgerRun }),
    rows: dec(rows),
    chunks: dec(chunks),
    rate: dec(Math.round(rate)),
    ...(beatAt === null ? {} : { beatAt: isoTime(beatAt) }),
    ...(exitCode === null ? {} : { exitCode }),
    ...(error === null ? {} : { error: errorLine(error) }),
  })
}

/** Data of one shared run in a queue of workers: its tasks, their runs in the ledger, and its end. */
import { dec } from '../../model/run/event.ts'
import type { QueuePart, ReportedSlot } from '../../model/run/report/run-report.ts'
import type { TaskRow } from '../../model/share/distributed.ts'
import { isoTime } from '../../shared/clock.ts'
import { errorLine } from '../../shared/errors.ts'
import { causesOfTasks, notesOfTasks } from '../share/causes.ts'
import { waitingText } from '../share/waiting.ts'
import { openQueue } from '../share/queues.ts'

/** Limit of listed causes and notes. */
const MOST = 100

/**
 * @returns null if the queue has no such run @throws SluiceError CONNECT_FAILED, UNSUPPORTED_URL, LEDGER_NEWER,
 * TARGET_DENIED
 */
export async function queuePart(connect: string, runId: string): Promise<QueuePart | null> {
  await using queue = await openQueue(connect, 'read')
  const [found] = await queue.runs(1, runId)
  if (found === undefined) return null
  const slots = await queue.slots(runId)
  const { kind, commandLine, source, target, status, begunAt, endedAt, exitCode, error, actor, host, refusals } = found
  const output = endedAt === null ? [] : await queue.schedules.output(runId)
  const causes = error === null ? [] : causesOfTasks(slots, output, error)
  return {
    operation: kind,
    command: commandLine,
    source,
    target,
    status,
    startedAt: isoTime(begunAt),
    endedAt: endedAt === null ? null : isoTime(endedAt),
    exitCode,
    error: error === null ? (waitingText(found)?.message ?? null) : errorLine(error),
    actor,
    host,
    rows: dec(found.rows),
    chunks: dec(found.chunks),
    countedAt: found.countedAt === null ? null : isoTime(found.countedAt),
    slots: slots.map(reportedTask),
    causes: causes.slice(0, MOST).map(({ table = '', message, hint = '' }) => ({ table, cause: message, hint })),
    notes: notesOfTasks(output).slice(0, MOST),
    refusals: refusals.map((one) => ({ host: one.host, error: errorLine(one.error) })),
  }
}

function reportedTask({
  no,
  about,
  state,
  isLost,
  turns,
  host,
  ledgerRun,
  rows,
  chunks,
  exitCode,
  error,
}: TaskRow): ReportedSlot {
  return {
    slot: dec(no),
    about,
    state: isLost ? 'lost' : state,
    turns: dec(turns),
    host,
    ledgerRun,
    rows: dec(rows),
    chunks: dec(chunks),
    exitCode,
    error: error === null ? null : errorLine(error),
  }
}

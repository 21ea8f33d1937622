/** `schedule history`: the runs of a schedule, or the output of one of them. */
import { dec } from '../../../../model/run/event.ts'
import { isoTime } from '../../../../shared/clock.ts'
import { errorLine, SluiceError } from '../../../../shared/errors.ts'
import type { ScheduleStore, ScheduledRun } from '../../../../model/share/schedule-port.ts'
import { openQueue } from '../../queues.ts'
import type { Ending, RunOf } from '../../../../engine/run/run-context.ts'
import { unknownSchedule } from '../../schedules/change.ts'
import type { scheduleHistory, ScheduleHistoryOperation } from './declaration.ts'

type Run = RunOf<typeof scheduleHistory>

/** Maximum number of runs to read: a schedule keeps fewer. */
const ALL = 1_000

/** @throws SluiceError NO_SUCH_PATH for an unknown schedule or run, CONNECT_FAILED, LEDGER_NEWER */
export async function performScheduleHistory(operation: ScheduleHistoryOperation, run: Run): Promise<Ending> {
  const { connect, name, limit, runId, output } = operation
  await using queue = await openQueue(connect, 'read')
  const book = queue.schedules
  if ((await book.list(name)).length === 0) throw unknownSchedule(name)
  if (runId !== undefined || output) return await reportOutput(book, name, runId, run)
  const lines = await book.history(name, limit)
  for (const line of lines) reportLine(name, line, run)
  return { totals: { runs: dec(lines.filter((line) => line.runId !== null).length) } }
}

function reportLine(schedule: string, line: ScheduledRun, run: Run): void {
  const { period, dueAt, at, runId, note, status, exitCode, error, endedAt } = line
  run.emit({
    type: 'schedule.run',
    schedule,
    ...(period === null ? {} : { period }),
    ...(dueAt === null ? {} : { dueAt: isoTime(dueAt) }),
    at: isoTime(at),
    ...(runId === null ? {} : { run: runId }),
    ...(status === null ? {} : { status }),
    ...(exitCode === null ? {} : { exitCode }),
    ...(endedAt === null ? {} : { endedAt: isoTime(endedAt) }),
    ...(error === null ? {} : { error: errorLine(error) }),
    ...(note === null ? {} : { note }),
  })
}

async function reportOutput(book: ScheduleStore, name: string, wanted: string | undefined, run: Run): Promise<Ending> {
  const lines = await book.history(name, ALL)
  const runId = wanted ?? lines.find((line) => line.runId !== null)?.runId ?? null
  if (runId === null || !lines.some((line) => line.runId === runId)) {
    throw new SluiceError(
      'NO_SUCH_PATH',
      runId === null ? `schedule ${name} has not run yet` : `schedule ${name} has no run ${runId}`,
      {
        hint: `sluice schedule history ${name} lists its runs`,
      },
    )
  }
  const slots = await book.output(runId)
  for (const { no, events } of slots) {
    for (const event of events) run.emit({ type: 'schedule.output', run: runId, slot: dec(no), event })
  }
  if (slots.length === 0)
    run.emit({
      type: 'log',
      level: 'note',
      message: `run ${runId} has no output yet: output is stored when a task of it is returned`,
    })
  return { totals: { events: dec(slots.reduce((sum, { events }) => sum + events.length, 0)) } }
}

/** `schedule list`: lists the schedules of a queue. */
import { dec } from '../../../../model/run/event.ts'
import { openQueue } from '../../queues.ts'
import type { Ending, RunOf } from '../../../../engine/run/run-context.ts'
import { scheduleEvent } from '../../schedules/report-schedules.ts'
import { unknownSchedule } from '../../schedules/change.ts'
import type { scheduleList, ScheduleListOperation } from './declaration.ts'

/** @throws SluiceError NO_SUCH_PATH for an unknown name, CONNECT_FAILED, LEDGER_NEWER */
export async function performScheduleList(
  { connect, name }: ScheduleListOperation,
  run: RunOf<typeof scheduleList>,
): Promise<Ending> {
  await using queue = await openQueue(connect, 'read')
  const found = await queue.schedules.list(name)
  if (name !== undefined && found.length === 0) throw unknownSchedule(name)
  for (const schedule of found) run.emit(scheduleEvent(schedule))
  return { totals: { schedules: dec(found.length) } }
}

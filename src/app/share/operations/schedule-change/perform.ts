/** `schedule pause`, `resume`, `run-now` and `remove`: change one schedule. */
import { dec } from '../../../../model/run/event.ts'
import { openQueue } from '../../queues.ts'
import type { Ending, RunOf } from '../../../../engine/run/run-context.ts'
import { changeSchedule } from '../../schedules/change.ts'
import type { scheduleChange, ScheduleChangeOperation } from './declaration.ts'

type Run = RunOf<typeof scheduleChange>

const CHANGED = { pause: 'paused', resume: 'resumed', 'run-now': 'wanted', remove: 'removed' } as const

/**
 * @throws SluiceError NO_SUCH_PATH for an unknown name, BAD_FLAG if the state of the schedule does not allow the
 * change, CONNECT_FAILED
 */
export async function performScheduleChange(
  { connect, name, change }: ScheduleChangeOperation,
  run: Run,
): Promise<Ending> {
  await using queue = await openQueue(connect, 'read')
  const notes = await changeSchedule(queue, name, change)
  run.emit({ type: 'schedule.changed', schedule: name, change: CHANGED[change], notes })
  return { totals: { schedules: dec(1) } }
}

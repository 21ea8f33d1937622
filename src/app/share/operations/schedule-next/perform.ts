/** `schedule next`: the next times of a schedule, by the clock of the queue's database. */
import { dec } from '../../../../model/run/event.ts'
import { openQueue } from '../../queues.ts'
import type { Ending, RunOf } from '../../../../engine/run/run-context.ts'
import { parseRule } from '../../schedules/rule-text.ts'
import { reportTimes } from '../../schedules/report-schedules.ts'
import { unknownSchedule } from '../../schedules/change.ts'
import type { scheduleNext, ScheduleNextOperation } from './declaration.ts'

/** @throws SluiceError NO_SUCH_PATH, CONNECT_FAILED, LEDGER_NEWER */
export async function performScheduleNext(
  { connect, name, limit }: ScheduleNextOperation,
  run: RunOf<typeof scheduleNext>,
): Promise<Ending> {
  await using queue = await openQueue(connect, 'read')
  const [found] = await queue.schedules.list(name)
  if (found === undefined) throw unknownSchedule(name)
  if (found.state !== 'on')
    run.emit({
      type: 'log',
      level: 'warn',
      message: `schedule ${name} is ${found.state}: it does not run at these times`,
    })
  const after = await queue.schedules.now()
  return { totals: { times: dec(reportTimes(name, parseRule(found.rule), { after, count: limit }, run.emit)) } }
}

/** Pauses, resumes, starts or removes a schedule, by command or by key. */
import { SluiceError } from '../../../shared/errors.ts'
import type { RunQueue } from '../../../model/share/queue-port.ts'
import type { Schedule, ScheduleStore } from '../../../model/share/schedule-port.ts'
import { parseRule } from './rule-text.ts'
import { newestUntil } from './rule.ts'
import { clockworkFrom, skippedText } from './scheduler.ts'

export type ScheduleChange = 'pause' | 'resume' | 'run-now' | 'remove'

/**
 * @returns notes on the change
 * @throws SluiceError NO_SUCH_PATH for an unknown name, BAD_FLAG and SCHEDULE_VOID if the state of the schedule does
 * not allow the change, CONNECT_FAILED
 */
export async function changeSchedule(
  queue: RunQueue,
  name: string,
  change: ScheduleChange,
): Promise<readonly string[]> {
  const [found] = await queue.schedules.list(name)
  if (found === undefined) throw unknownSchedule(name)
  const notes = await ACTIONS[change](queue, found)
  if (notes === null) throw refused(found, change)
  return notes
}

/** @throws SluiceError NO_SUCH_PATH */
export function unknownSchedule(name: string): SluiceError {
  return new SluiceError('NO_SUCH_PATH', `there is no schedule ${name}`, {
    hint: 'sluice schedule list shows all schedules',
  })
}

/** Return notes on the change; null if the change is not possible. */
const ACTIONS: Readonly<
  Record<ScheduleChange, (queue: RunQueue, found: Schedule) => Promise<readonly string[] | null>>
> = {
  pause: async ({ schedules }, { name, running }) =>
    (await schedules.pause(name))
      ? running === null
        ? []
        : [`its run ${running} continues: sluice ctl ${running} stop --distributed ends it`]
      : null,
  resume: async ({ schedules }, found) => await resumed(schedules, found),
  'run-now': async (queue, { name, running }) => {
    if (!(await queue.schedules.requestRun(name))) return null
    const isAlone = !(await queue.workers()).some(({ state }) => state === 'lives')
    return [
      running === null ? 'a worker starts it within a few seconds' : `it waits for its run ${running}`,
      ...(isAlone ? ['no worker is running: start one with sluice worker'] : []),
    ]
  },
  remove: async ({ schedules }, { name, running }) =>
    (await schedules.remove(name))
      ? [
          'its history was removed too; its runs stay in sluice runs --distributed',
          ...(running === null ? [] : [`its run ${running} continues`]),
        ]
      : null,
}

/** Resumes a schedule. Times missed during the pause do not run later: that is the purpose of a pause. */
async function resumed(schedules: ScheduleStore, { name, rule, since }: Schedule): Promise<readonly string[] | null> {
  const now = await schedules.now()
  const parsed = parseRule(rule)
  if (!(await schedules.resume(name, clockworkFrom(parsed, now)))) return null
  const missed = newestUntil(parsed, since, now)
  return missed === null
    ? []
    : [`${skippedText({ first: missed.first, last: missed.newest, count: missed.count })} while it was paused`]
}

function refused({ name, state, error }: Schedule, change: ScheduleChange): SluiceError {
  if (error?.code === 'MISSING_CONFIRM') {
    const { hint } = error
    return new SluiceError('MISSING_CONFIRM', error.message, { hint })
  }
  if (state === 'void') {
    return new SluiceError('SCHEDULE_VOID', `schedule ${name} cannot run: its plan is not the one that was confirmed`, {
      hint: `sluice schedule list ${name} shows the cause; to confirm the new plan, add the schedule again with --replace`,
    })
  }
  return new SluiceError('BAD_FLAG', `schedule ${name} is ${state === 'on' ? 'not paused' : 'paused already'}`, {
    hint: change === 'pause' ? `run sluice schedule resume ${name}` : `sluice schedule list ${name} shows its state`,
  })
}

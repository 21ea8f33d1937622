/** Events of schedules and their times. */
import { isoTime } from '../../../shared/clock.ts'
import { dec } from '../../../model/run/dec.ts'
import type { ScheduleEvent, ScheduleTimeEvent } from '../../../model/share/schedule-events.ts'
import { errorLine } from '../../../shared/errors.ts'
import type { Schedule } from '../../../model/share/schedule-port.ts'
import { zoneWallClock } from '../../../model/calendar/zone.ts'
import { parseRule, ruleWords } from './rule-text.ts'
import { occurrencesAfter, type ScheduleRule } from './rule.ts'

/** Reports times after `after` (ms since the epoch), at most `count`. @returns number of reported times */
export function reportTimes(
  schedule: string,
  rule: ScheduleRule,
  { after, count }: { readonly after: number; readonly count: number },
  emit: (event: ScheduleTimeEvent) => void,
): number {
  const zone = rule.every === 'interval' ? 'UTC' : rule.calendar.zone
  let reported = 0
  for (const { period, at } of occurrencesAfter(rule, after)) {
    if (reported === count) break
    const local = new Date(zoneWallClock(zone, at)).toISOString().slice(0, 16).replace('T', ' ')
    emit({ type: 'schedule.time', schedule, period, at: isoTime(at), local, zone })
    reported += 1
  }
  return reported
}

/** A schedule as its event. */
export function scheduleEvent(schedule: Schedule): ScheduleEvent {
  const { name, state, rule, catchUp, commandLine, slots, queue, running, wanted, next, last, error, actor, host } =
    schedule
  return {
    type: 'schedule',
    schedule: name,
    state,
    rule: ruleWords(parseRule(rule)),
    catchUp,
    command: commandLine,
    slots: dec(slots),
    ...(queue === null ? {} : { queue }),
    ...(running === null ? {} : { running }),
    ...(wanted ? { wanted } : {}),
    ...(next === null || state !== 'on' ? {} : { nextPeriod: next.period, nextAt: isoTime(next.at) }),
    ...(last === null
      ? {}
      : {
          lastAt: isoTime(last.at),
          ...(last.period === null ? {} : { lastPeriod: last.period }),
          ...(last.runId === null ? {} : { lastRun: last.runId }),
          ...(last.status === null ? {} : { lastStatus: last.status }),
        }),
    ...(error === null ? {} : { error: errorLine(error) }),
    actor,
    host,
    addedAt: isoTime(schedule.addedAt),
  }
}

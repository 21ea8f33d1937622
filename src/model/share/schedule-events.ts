/** Events of schedules. */
import type { Dec, Int, Time } from '../run/dec.ts'
import type { DistributedStatus } from './distributed.ts'
import type { CatchUp, ScheduleState } from './schedule.ts'

/** A schedule, in a list. */
export type ScheduleEvent = {
  type: 'schedule'
  schedule: string
  state: ScheduleState
  /** Calendar rule as text. */
  rule: string
  catchUp: CatchUp
  command: string
  slots: Dec
  queue?: string
  /** Its current run. */
  running?: Dec
  /** Set if it was requested to run now. */
  wanted?: true
  nextPeriod?: string
  nextAt?: Time
  lastPeriod?: string
  lastAt?: Time
  lastRun?: Dec
  lastStatus?: DistributedStatus
  /** Why it is void, or why its last attempt began nothing. */
  error?: string
  actor: string
  host: string
  addedAt: Time
}

/** A future time of a schedule. */
export type ScheduleTimeEvent = {
  type: 'schedule.time'
  schedule: string
  period: string
  at: Time
  /** Local time of its zone. */
  local: string
  zone: string
}

/** A run of a schedule, or skipped times, which `note` lists. */
export type ScheduleRunEvent = {
  type: 'schedule.run'
  schedule: string
  /** Absent if it was started by hand. */
  period?: string
  dueAt?: Time
  at: Time
  run?: Dec
  status?: DistributedStatus
  exitCode?: Int
  endedAt?: Time
  error?: string
  note?: string
}

/** An event of a run of a schedule. */
export type ScheduleOutputEvent = {
  type: 'schedule.output'
  run: Dec
  slot: Dec
  /** The event, unchanged. */
  event: { readonly type: string; readonly [field: string]: unknown }
}

/** A change of a schedule. */
export type ScheduleChangedEvent = {
  type: 'schedule.changed'
  schedule: string
  change: 'added' | 'replaced' | 'paused' | 'resumed' | 'removed' | 'wanted'
  /** When the schedule runs, which times were skipped, or which worker is required, as text. */
  notes: readonly string[]
}

/** A file for use without a queue: systemd units, or a crontab line. */
export type ScheduleUnitEvent = {
  type: 'schedule.unit'
  file: string
  text: string
}

/** All events of this file. */
export type ScheduleEvents =
  ScheduleEvent | ScheduleTimeEvent | ScheduleRunEvent | ScheduleOutputEvent | ScheduleChangedEvent | ScheduleUnitEvent

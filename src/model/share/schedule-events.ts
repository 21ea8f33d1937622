/** Events of schedules; part of the union in event.ts. */
import type { Dec } from '../run/dec.ts'
import type { DistributedStatus } from './distributed.ts'
import type { CatchUp, ScheduleState } from './schedule.ts'

/** A schedule, in a list. */
export type ScheduleEvent = {
  type: 'schedule'
  schedule: string
  state: ScheduleState
  /** In words. */
  rule: string
  catchUp: CatchUp
  command: string
  slots: Dec
  queue?: string
  /** Its run that goes on. */
  running?: string
  /** Somebody wishes it to run now. */
  wanted?: true
  nextPeriod?: string
  nextAt?: string
  lastPeriod?: string
  lastAt?: string
  lastRun?: string
  lastStatus?: DistributedStatus
  /** Why it is void, or why its newest try began nothing. */
  error?: string
  actor: string
  host: string
  addedAt: string
}

/** A time that a schedule has before it. */
export type ScheduleTimeEvent = {
  type: 'schedule.time'
  schedule: string
  period: string
  at: string
  /** By the clock on the wall of its zone. */
  local: string
  zone: string
}

/** A run of a schedule, or times that were passed over: then `note` says which. */
export type ScheduleRunEvent = {
  type: 'schedule.run'
  schedule: string
  /** Absent where somebody has begun it by hand. */
  period?: string
  dueAt?: string
  at: string
  run?: string
  status?: DistributedStatus
  exitCode?: number
  endedAt?: string
  error?: string
  note?: string
}

/** What a run of a schedule has said, event by event. */
export type ScheduleOutputEvent = {
  type: 'schedule.output'
  run: string
  slot: Dec
  /** As it was emitted there. */
  event: unknown
}

/** What was done with a schedule. */
export type ScheduleChangedEvent = {
  type: 'schedule.changed'
  schedule: string
  change: 'added' | 'replaced' | 'paused' | 'resumed' | 'removed' | 'wanted'
  /** In words: when it runs, what was passed over, or who has to be there. */
  notes: readonly string[]
}

/** A file for those who have no queue: units of systemd, or a line of a crontab. */
export type ScheduleUnitEvent = {
  type: 'schedule.unit'
  file: string
  text: string
}

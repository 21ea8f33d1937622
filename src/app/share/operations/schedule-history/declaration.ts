import type { Declaration } from '../../../../engine/run/operations/declaration.ts'

/** What became of a schedule: its runs, times that were passed over, and what a run has said. */
export type ScheduleHistoryOperation = {
  readonly kind: 'schedule-history'
  readonly connect: string
  readonly name: string
  readonly limit: number
  /** What this run has said, or with `output` the newest one, in place of a list. */
  readonly runId?: string
  readonly output: boolean
}

const EVENTS = ['schedule.run', 'schedule.output', 'log'] as const

export const scheduleHistory: Declaration<ScheduleHistoryOperation, (typeof EVENTS)[number]> = {
  kind: 'schedule-history',
  command: 'schedule',
  actions: { 'schedule history': { byHand: ['name', 'connect', 'limit', 'output', 'run'] } },
  shape: 'listing',
  stores: [{ field: 'connect', family: 'database', access: 'read', end: 'target' }],
  about: 'name',
  events: EVENTS,
}

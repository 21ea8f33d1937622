import type { Declaration } from '../../../../engine/run/operations/declaration.ts'

/** History of a schedule: runs, skipped times, and the output of a run. */
export type ScheduleHistoryOperation = {
  readonly kind: 'schedule-history'
  readonly connect: string
  readonly name: string
  readonly limit: number
  /** Print the output of this run instead of a list. With `output` only: the output of the newest run. */
  readonly runId?: string
  readonly output: boolean
}

const EVENTS = ['schedule.run', 'schedule.output', 'log'] as const

export const scheduleHistory: Declaration<ScheduleHistoryOperation, (typeof EVENTS)[number]> = {
  kind: 'schedule-history',
  command: 'schedule',
  actions: { 'schedule history': { byHand: ['name', 'connect', 'limit', 'output', 'run'] } },
  display: 'listing',
  stores: [{ field: 'connect', family: 'database', access: 'read', end: 'target' }],
  about: 'name',
  events: EVENTS,
}

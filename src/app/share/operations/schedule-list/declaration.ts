import type { Declaration } from '../../../../engine/run/operations/declaration.ts'

/** Schedules of a queue, with their last and next times. */
export type ScheduleListOperation = {
  readonly kind: 'schedule-list'
  readonly connect: string
  /** List only this schedule. */
  readonly name?: string
}

const EVENTS = ['schedule', 'log'] as const

export const scheduleList: Declaration<ScheduleListOperation, (typeof EVENTS)[number]> = {
  kind: 'schedule-list',
  command: 'schedule',
  actions: { 'schedule list': { byHand: ['name', 'connect'] } },
  display: 'listing',
  stores: [{ field: 'connect', family: 'database', access: 'read', end: 'target' }],
  about: 'name',
  events: EVENTS,
}

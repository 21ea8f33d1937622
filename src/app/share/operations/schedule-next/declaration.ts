import type { Declaration } from '../../../../engine/run/operations/declaration.ts'

/** Future times of a schedule. */
export type ScheduleNextOperation = {
  readonly kind: 'schedule-next'
  readonly connect: string
  readonly name: string
  readonly limit: number
}

const EVENTS = ['schedule.time', 'log'] as const

export const scheduleNext: Declaration<ScheduleNextOperation, (typeof EVENTS)[number]> = {
  kind: 'schedule-next',
  command: 'schedule',
  actions: { 'schedule next': { byHand: ['name', 'connect', 'limit'] } },
  display: 'listing',
  stores: [{ field: 'connect', family: 'database', access: 'read', end: 'target' }],
  about: 'name',
  events: EVENTS,
}

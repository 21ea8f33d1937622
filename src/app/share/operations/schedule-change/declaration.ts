import type { Declaration } from '../../../../engine/run/operations/declaration.ts'

/** Pauses, resumes, starts or removes a schedule. */
export type ScheduleChangeOperation = {
  readonly kind: 'schedule-change'
  readonly connect: string
  readonly name: string
  readonly change: 'pause' | 'resume' | 'run-now' | 'remove'
}

const EVENTS = ['schedule.changed', 'log'] as const
const TAKES = { byHand: ['name', 'connect'] } as const

export const scheduleChange: Declaration<ScheduleChangeOperation, (typeof EVENTS)[number]> = {
  kind: 'schedule-change',
  command: 'schedule',
  actions: { 'schedule pause': TAKES, 'schedule resume': TAKES, 'schedule run-now': TAKES, 'schedule remove': TAKES },
  display: 'answer',
  stores: [{ field: 'connect', family: 'database', access: 'write', end: 'target' }],
  about: 'name',
  events: EVENTS,
}

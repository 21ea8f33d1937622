import type { Declaration } from '../../../../engine/run/operations/declaration.ts'
import { SCHEDULE_RULE_OPTIONS } from '../schedule-add/declaration.ts'

/** Prints a schedule for use without a queue. */
export type SchedulePrintOperation = {
  readonly kind: 'schedule-print'
  readonly name: string
  /** Calendar rule as text; format: `app/share/schedules/rule-text`. */
  readonly rule: string
  readonly words: readonly string[]
  /** True if each run of the command is destructive. */
  readonly destroys: boolean
  /** Working folder of the command. */
  readonly folder: string
  readonly as: 'systemd' | 'crontab'
}

const EVENTS = ['schedule.unit', 'log'] as const

export const schedulePrint: Declaration<SchedulePrintOperation, (typeof EVENTS)[number]> = {
  kind: 'schedule-print',
  command: 'schedule',
  actions: { 'schedule print': { byHand: ['name', 'command', ...SCHEDULE_RULE_OPTIONS, 'as'] } },
  display: 'listing',
  stores: [{ field: 'folder', family: 'folder', access: 'read' }],
  about: 'name',
  events: EVENTS,
}

/** Recurring work, as plain data. */

/** `void`: the command would now do something else than was confirmed. */
export type ScheduleState = 'on' | 'paused' | 'void'

/**
 * What happens to times missed without a worker. `last`: the newest one runs. `all`: each runs, one after the other.
 * `none`: those more than an hour late are skipped.
 */
export const CATCH_UP = ['last', 'all', 'none'] as const
export type CatchUp = (typeof CATCH_UP)[number]

/** Scope of its alerts. */
export const scheduleScope = (name: string): string => `schedule ${name}`

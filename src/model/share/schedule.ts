/** Recurring work, as plain data. */

/** `void`: what the command would do now differs from what the user confirmed. */
export type ScheduleState = 'on' | 'paused' | 'void'

/**
 * What happens to times that were missed because no worker ran. `last`: the newest one runs. `all`: each runs, one
 * after the other. `none`: the newest one runs if it is at most one hour late.
 */
export const CATCH_UP = ['last', 'all', 'none'] as const
export type CatchUp = (typeof CATCH_UP)[number]

/** Scope of the alerts of a schedule, for `AlertKey`. */
export const scheduleScope = (name: string): string => `schedule ${name}`

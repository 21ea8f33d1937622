/** Work that comes again, as plain data. */

/** `void`: what was confirmed is not what it would do now. */
export type ScheduleState = 'on' | 'paused' | 'void'

/**
 * What becomes of times at which nobody could work. `last`: the newest is caught up with. `all`: each, one after the other. `none`: what is more than an hour
 * late is passed over.
 */
export const CATCH_UP = ['last', 'all', 'none'] as const
export type CatchUp = (typeof CATCH_UP)[number]

/** Under what its alerts are noted. */
export const scheduleScope = (name: string): string => `schedule ${name}`

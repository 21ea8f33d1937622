/**
 * Maximum characters of a metaData action, and of any other action. Limited because `validate` keeps several copies of
 * an action in memory.
 */
export const MOST_CHARACTERS = { metaData: 8 << 20, other: 32 << 20 } as const

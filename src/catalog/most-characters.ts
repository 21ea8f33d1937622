/** Most characters of a metaData action, and of any other, that `validate` can hold in all its copies in its memory. */
export const MOST_CHARACTERS = { metaData: 8 << 20, other: 32 << 20 } as const

/** Characters of a metaData action, and of any other, that `validate` can hold as often as it needs them, in the memory that it is given. */
export const MOST_CHARACTERS = { metaData: 8 << 20, other: 32 << 20 } as const

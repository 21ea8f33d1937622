/** Names of what is made on a table before it becomes the first partition of another one. They tell it from what users have made, and what it was made for. */
const PREFIX = 'sluice_in_place_'

/** The constraint that says the bounds of the table. */
export function boundsMark(table: string): string {
  return `${PREFIX}${table}`
}

/**
 * A unique index with the time column behind the columns of another one, or with those columns alone.
 * @param of number of that index
 * @param attnum number of the time column; null without it
 */
export function indexMark(table: string, of: string, attnum: string | null): string {
  return `${PREFIX}${table}_${of}_${attnum ?? 'own'}`
}

/** The check of a past whose latest rows are about to leave, and the function that it calls. @param past number of that partition */
export function sliceMark(past: string): string {
  return `${PREFIX}${past}_slice`
}

/** Condition in SQL: whether a name is none of these. @param name column in SQL */
export function notOwnSql(name: string): string {
  return `${name} !~ '^${PREFIX}[0-9]+(_|$)'::text`
}

/** What stands in the comments of the indexes from the switch on: by it a way back knows them. */
export const INDEX_NOTES = {
  /** Takes the place of the primary key. */
  key: 'sluice in place: primary key with the time column',
  /** What the primary key was before. */
  own: 'sluice in place: primary key without the time column',
  /** Beside a unique index without the time column. */
  wide: 'sluice in place: unique with the time column',
} as const

/** Names of objects on a table that becomes the first partition. They differ from users' names and show the purpose. */
const PREFIX = 'sluice_in_place_'

/** Name of the constraint with the bounds of the table. */
export function boundsMark(table: string): string {
  return `${PREFIX}${table}`
}

/**
 * Name of a unique index with the columns of another index, and with the time column if `attnum` is given.
 * @param table OID of the table
 * @param of OID of the other index
 * @param attnum attribute number of the time column; null without it
 */
export function indexMark(table: string, of: string, attnum: string | null): string {
  return `${PREFIX}${table}_${of}_${attnum ?? 'own'}`
}

/**
 * Name of a CHECK constraint, and of the function that it calls. The constraint is on a first partition whose latest
 * rows will move to another partition.
 * @param past OID of the partition
 */
export function sliceMark(past: string): string {
  return `${PREFIX}${past}_slice`
}

/** SQL condition: the name is not one that this file makes. @param name SQL of the column with the name */
export function notOwnSql(name: string): string {
  return `${name} !~ '^${PREFIX}[0-9]+(_|$)'::text`
}

/** Comments of the indexes after the cutover: a revert recognizes the indexes by them. */
export const INDEX_NOTES = {
  /** Comment of the index that replaces the primary key. */
  key: 'sluice in place: primary key with the time column',
  /** Comment of the index of the former primary key. */
  own: 'sluice in place: primary key without the time column',
  /** Comment of a unique index with the columns of another unique index and the time column. */
  wide: 'sluice in place: unique with the time column',
} as const

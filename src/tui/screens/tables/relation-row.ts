/** A table of a database as a row of the Tables screen. */
import { UNKNOWN_TABLE, type TableRow } from '../../../model/lake/answers.ts'
import type { RelationEvent } from '../../../model/run/event.ts'
import { parseLakeUrl } from '../../../model/lake/lake-url.ts'

export type RelationRow = Omit<TableRow, 'kind'> & {
  readonly kind: 'relation'
  readonly relation: RelationEvent
  /** URL of its database, without password. */
  readonly url: string
}

/** Fields that only lake tables have are unknown or empty. */
export function relationRow(url: string, relation: RelationEvent): RelationRow {
  return {
    ...UNKNOWN_TABLE,
    key: `${url} ${relation.table}`,
    name: relation.table,
    location: relation.table,
    kind: 'relation',
    relation,
    url,
    bytes: Number(relation.bytes),
    rows: Number(relation.rows),
  }
}

/** URL of a database file of the lake; null if it is not on the local file system. */
export function fileUrl({ system, location }: TableRow): string | null {
  if (system === undefined || parseLakeUrl(location).kind !== 'local') return null
  return `${system}:///${location.replace(/^\.\//, '')}`
}

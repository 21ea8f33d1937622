/** A table of a database as a row of the Tables screen. */
import { UNKNOWN_TABLE, type TableRow } from '../../model/lake/answers.ts'
import type { RelationEvent } from '../../model/run/event.ts'
import { parseLakeUrl } from '../../model/lake/lake-url.ts'

export type RelationRow = Omit<TableRow, 'kind'> & {
  readonly kind: 'relation'
  readonly relation: RelationEvent
  /** Of its database, without password. */
  readonly url: string
}

/** What a lake's table has and this one has not is unknown, or none. */
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

/** URL of a database file of the lake; null where it lies in no folder of this machine. */
export function fileUrl({ system, location }: TableRow): string | null {
  if (system === undefined || parseLakeUrl(location).kind !== 'local') return null
  return `${system}:///${location.replace(/^\.\//, '')}`
}

/** Changes after one version up to another: every action of those commits except commitInfo. */
import type { SqlReader } from '../../model/run/sql-port.ts'
import { ADD_COLUMNS, addRecord, utf8, type AddRecord } from '../export/adds.ts'

export type ChangeRecord = {
  readonly version: number
  readonly line: number
  /** `add`, or the kind of the raw action. */
  readonly kind: string
  /** Path of an add; null for other kinds. */
  readonly path: string | null
  readonly dvId: string | null
  readonly size: number | null
  readonly rows: number | null
  readonly dataChange: boolean | null
  /** The raw line; null for an add. */
  readonly raw: string | null
}

/** Changes of versions above `from` up to `to`, in log order, in pages. */
export async function* catalogChanges(
  reader: SqlReader,
  tableId: string,
  from: number,
  to: number,
): AsyncGenerator<readonly ChangeRecord[]> {
  const sql = `SELECT added_version AS version, line, 'add' AS kind, path, dv_id, size, num_records, data_change, NULL AS raw
      FROM delta_files WHERE table_id = ? AND added_version > ? AND added_version <= ? AND from_checkpoint = 0
    UNION ALL
    SELECT version, line, kind, NULL, NULL, NULL, NULL, NULL, raw
      FROM delta_actions WHERE table_id = ? AND version > ? AND version <= ? AND source = 0
    ORDER BY 1, 2`
  for await (const page of reader.pages(sql, [tableId, from, to, tableId, from, to], 5_000)) {
    yield page.map((row) => {
      const [version, line, kind, path, dvId, size, rows, dataChange, raw] = row as [
        number,
        number,
        string,
        string | null,
        string | null,
        number | null,
        number | null,
        number | null,
        Uint8Array | null,
      ]
      return {
        version,
        line,
        kind,
        path,
        dvId,
        size,
        rows,
        dataChange: dataChange === null ? null : dataChange === 1,
        raw: raw === null ? null : Buffer.from(raw).toString('utf8'),
      }
    })
  }
}

/** A change with the full content of its line. */
export type WholeChange = {
  readonly version: number
  readonly line: number
  readonly kind: string
  /** Deletion vector id of an add, as stored in its row. */
  readonly dvId: string | null
  readonly add: AddRecord | null
  /** The raw line; null for an add. */
  readonly raw: string | null
}

const NO_ADD = ADD_COLUMNS.split(',')
  .map((column) => (column.trim() === 'line' ? 'line' : 'NULL'))
  .join(', ')

/** As `catalogChanges`, with the full content of each line, as a reader of the log gets it. */
export async function* wholeChangesBetween(
  reader: SqlReader,
  tableId: string,
  from: number,
  to: number,
): AsyncGenerator<readonly WholeChange[]> {
  const sql = `SELECT added_version AS version, 'add' AS kind, dv_id, NULL AS raw, ${ADD_COLUMNS}
      FROM delta_files WHERE table_id = ? AND added_version > ? AND added_version <= ? AND from_checkpoint = 0
    UNION ALL
    SELECT version, kind, NULL, raw, ${NO_ADD}
      FROM delta_actions WHERE table_id = ? AND version > ? AND version <= ? AND source = 0
    ORDER BY 1, 6`
  for await (const page of reader.pages(sql, [tableId, from, to, tableId, from, to], 5_000)) {
    yield page.map((row) => {
      const [version, kind, dvId, raw, ...rest] = row
      const add = raw === null ? addRecord(rest) : null
      return {
        version: version as number,
        line: rest[1] as number,
        kind: kind as string,
        dvId: dvId as string | null,
        add,
        raw: raw instanceof Uint8Array ? utf8(raw) : null,
      }
    })
  }
}

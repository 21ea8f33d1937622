/** What happened after one version up to another: every action of those commits but commitInfo. */
import type { SqlReader } from '../../stores/port.ts'

export type ChangeRecord = {
  readonly version: number
  readonly line: number
  /** `add`, or the kind of the raw action. */
  readonly kind: string
  /** Set for an add. */
  readonly path: string | null
  readonly dvId: string | null
  readonly size: number | null
  readonly rows: number | null
  readonly dataChange: boolean | null
  /** The raw line, for all but an add. */
  readonly raw: string | null
}

/** Changes of versions above `from` up to `to`, in log order, in pages. */
export async function* changesBetween(
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

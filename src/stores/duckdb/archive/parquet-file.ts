/** SQL that reads a Parquet file, and a check of its columns. */
import type { StoredColumn } from '../../../model/archive/stored-column.ts'
import { asked } from './ask.ts'
import { nativeOf } from './columns.ts'
import type { Desk } from './desk.ts'
import { unsound } from './errors.ts'

/** A file for a FROM clause; partition folders in its path are ignored. */
export async function parquetSql(desk: Desk, file: string): Promise<string> {
  return parquetFromSql(await desk.named(file))
}

/** @param named the file, as `Desk.named` returns it */
export function parquetFromSql(named: string): string {
  return `read_parquet(${named}, hive_partitioning = false)`
}

/** @throws SluiceError PROOF_FAILED if the file's columns or types differ from these */
export async function checkSchema(
  desk: Desk,
  from: string,
  file: string,
  columns: readonly StoredColumn[],
  signal: AbortSignal,
): Promise<void> {
  const found = (await asked(desk, `SELECT column_name, column_type FROM (DESCRIBE FROM ${from})`, signal)).map(
    ([name, type]) => `${name} ${type}`,
  )
  const expected = columns.map(({ physical, stored }) => `${physical} ${nativeOf(stored)}`)
  if (found.length === expected.length && found.every((text, i) => text === expected[i])) return
  throw unsound(`it has the columns ${found.join(', ')} instead of ${expected.join(', ')}`, file)
}

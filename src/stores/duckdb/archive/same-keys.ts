/** Keys that occur in files of two partitions. */
import type { KeyedFiles, SameKeys } from '../../../model/archive/parquet-port.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { closely, keyEquality } from '../key-equality.ts'
import { asked } from './ask.ts'
import type { Desk } from './desk.ts'
import { readError } from './errors.ts'
import { parquetSql } from './parquet-file.ts'

/** Maximum number of keys that are returned. */
const SHOWN = 5

/** @throws SluiceError PROOF_FAILED, SOURCE_IO, the signal's reason */
export async function sameKeysOf(
  desk: Desk,
  one: KeyedFiles,
  others: readonly KeyedFiles[],
  signal: AbortSignal,
): Promise<SameKeys> {
  const own = await keysSql(desk, [one])
  const theirs = await keysSql(desk, others)
  if (own === null || theirs === null) return { rows: 0n, keys: [] }
  const names = one.key.map((_, i) => `k${i}`)
  const same = one.key
    .map((column, i) => {
      const [left, right] = ['own', 'theirs'].map((side) => closely(`${side}.k${i}`, keyEquality(column)))
      return `${left} IS NOT DISTINCT FROM ${right}`
    })
    .join(' AND ')
  const shown = `concat_ws(', ', ${names.map((name) => `coalesce(CAST(${name} AS VARCHAR), 'NULL')`).join(', ')})`
  const sql = `SELECT CAST(count(*) AS VARCHAR), array_to_string(min(${shown}, ${SHOWN}), chr(10))
    FROM ${own} AS own WHERE EXISTS (SELECT 1 FROM ${theirs} AS theirs WHERE ${same})`
  try {
    const [row] = await asked(desk, sql, signal)
    const [rows, keys] = row ?? []
    return { rows: BigInt(rows ?? 0), keys: keys == null || keys === '' ? [] : keys.split('\n') }
  } catch (error) {
    throw readError(error, one.files[0] ?? '', signal)
  }
}

/** SQL for the keys in all files; other columns of the files may differ. Null if there are no files. */
async function keysSql(desk: Desk, all: readonly KeyedFiles[]): Promise<string | null> {
  const selects: string[] = []
  for (const { files, key } of all) {
    const names = key.map(({ physical }, i) => `${quotedName(physical)} AS k${i}`).join(', ')
    for (const file of files) selects.push(`SELECT ${names} FROM ${await parquetSql(desk, file)}`)
  }
  return selects.length === 0 ? null : `(${selects.join(' UNION ALL ')})`
}

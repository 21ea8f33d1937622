/** Finds places of a text that should be erased: files below an archive, decoded Parquet, and tables of its ledger. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { Place } from './copy-systems.ts'

const LEDGER = [
  'migration_archives',
  'migration_archive_partitions',
  'migration_archive_history',
  'migration_archive_heads',
  'migration_archive_erasures',
  'migration_archive_erased',
]

/** Every place below a folder, or in a ledger, where a text can be read. */
export async function placesOf(text: string, folder: string, place: Place): Promise<readonly string[]> {
  const found: string[] = []
  const duckdb = await DuckDBInstance.create(':memory:')
  const connection = await duckdb.connect()
  for (const name of readdirSync(folder, { recursive: true }).map(String).toSorted()) {
    const file = join(folder, name)
    if (!statSync(file).isFile()) continue
    if (readFileSync(file).includes(text)) found.push(name)
    else if (name.endsWith('.parquet')) {
      const rows = await connection.runAndReadAll(
        `SELECT count(*) FROM read_parquet('${file}', hive_partitioning = false) AS r WHERE contains(to_json(r)::VARCHAR, '${text}')`,
      )
      if (rows.getRows()[0]?.[0] !== 0n) found.push(name)
    }
  }
  connection.closeSync()
  duckdb.closeSync()
  for (const table of LEDGER) {
    const rows = await place.rows(`SELECT * FROM ${table}`)
    if (JSON.stringify(rows).includes(text)) found.push(table)
  }
  return found
}

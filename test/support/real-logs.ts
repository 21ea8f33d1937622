/** Lines of the real tables' commits, for tests that need many lines of real writers. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { TABLES } from '../tables/shared-tables.ts'

export { HAVE_TABLES as haveTables } from '../tables/shared-tables.ts'

type Line = {
  add?: { path: string; stats?: string | null; partitionValues?: Record<string, string | null> }
  metaData?: { schemaString?: string; partitionColumns?: string[]; configuration?: Record<string, string> }
  protocol?: { minReaderVersion: number; readerFeatures?: string[] }
}

/** Commits above `maxBytes` are left out: they hold the same line many thousand times. */
export function* commitLines(maxBytes = 1_000_000): Generator<{ table: string; line: Line }> {
  const logs = readdirSync(TABLES, { recursive: true, withFileTypes: true })
  for (const entry of logs) {
    if (!entry.isFile() || !entry.parentPath.endsWith('_delta_log') || !/^\d{20}\.json$/.test(entry.name)) continue
    const bytes = readFileSync(join(entry.parentPath, entry.name))
    if (bytes.length > maxBytes) continue
    for (const raw of bytes.toString('utf8').split('\n')) {
      let line: Line
      try {
        line = JSON.parse(raw) as Line
      } catch {
        continue
      }
      yield { table: entry.parentPath.slice(TABLES.length + 1, -'/_delta_log'.length), line }
    }
  }
}

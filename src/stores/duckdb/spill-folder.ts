/** Where queries of one open database spill. */
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A folder that DuckDB makes when it first needs it, and whoever opened the database removes. Another one for each thread of this program: whoever closes
 * first removes only what is his.
 */
export function spillFolder(): string {
  return join(tmpdir(), `sluice-duckdb-${process.pid}-${randomBytes(4).toString('hex')}`)
}

/** Invariants of a ledger (`docs/reference/LEDGER.md`), checked with SQL and not with code of src. */
import type { Place } from './copy-systems.ts'

type Text = string | null | undefined

/**
 * Problems of a table whose chunks all are said to be done.
 * @param rows number of rows in the source
 * @returns empty if there is no problem
 */
export async function ledgerProblems(place: Place, table: string, rows: number): Promise<readonly string[]> {
  const name = literal(place, table)
  const problems: string[] = []
  const chunks = await place.rows(
    `SELECT id, lo, hi, status, records_processed, rows_read, rows_written, rows_skipped, rows_quarantined, proof, source_checksum,
       target_checksum, lease_until, start_id, end_id, fence, attempt, kind, error_code FROM migration_checkpoints WHERE table_name = ${name}`,
  )
  let sum = 0
  for (const chunk of chunks) {
    const [id, , , status, records, read, put, skipped, aside, proof, source, target, lease, , , fence, attempt] = chunk
    // A finished chunk with quarantined rows has the status `failed`, so that users who read the ledger see them.
    const closed = Number(aside) > 0 ? status === 'failed' && chunk[18] === 'ROWS_ASIDE' : status === 'completed'
    if (!closed) problems.push(`chunk ${id} is ${status}`)
    if (Number(read) !== Number(put) + Number(skipped) + Number(aside)) problems.push(`chunk ${id} does not add up`)
    if (records !== put) problems.push(`chunk ${id} says ${records} records and ${put} rows`)
    const summed = proof !== 'none' && proof !== 'count' && chunk[17] !== 'block' && chunk[17] !== 'all'
    if (summed && (source == null || source !== target)) problems.push(`chunk ${id} is not proved`)
    if (Number(lease) !== 0) problems.push(`chunk ${id} is leased after its end`)
    if (Number(fence) < 1 || Number(fence) < Number(attempt)) {
      problems.push(`chunk ${id} has the fence ${fence} after ${attempt} attempts`)
    }
    sum += Number(put)
  }
  if (sum !== rows) problems.push(`${sum} rows are written, and not ${rows}`)
  problems.push(...chainProblems(chunks.filter((chunk) => chunk[17] === 'key')))
  if (chunks.filter((chunk) => chunk[17] === 'nullKey').length > 1) problems.push('two chunks hold rows without a key')
  return [...problems, ...(await endProblems(place, name)), ...(await claimProblems(place))]
}

/**
 * Chunks of keys cover everything from the smallest key to the largest exactly once; the number columns agree with the
 * keys.
 */
function chainProblems(chunks: readonly (readonly Text[])[]): readonly string[] {
  const problems: string[] = []
  const byStart = new Map(chunks.map((chunk) => [chunk[1] ?? '', chunk]))
  if (byStart.size !== chunks.length) problems.push('two chunks begin at the same key')
  let at = ''
  let lastId: Text
  for (;;) {
    const chunk = byStart.get(at)
    if (chunk === undefined) break
    byStart.delete(at)
    const [id, lo, hi, , , , , , , , , , , start, end] = chunk
    if (start != null && lastId != null && BigInt(start) !== BigInt(lastId) + 1n) {
      problems.push(`chunk ${id} begins at ${start}, and the one before it ends at ${lastId}`)
    }
    if (lo != null && start != null && lo !== `["${(BigInt(start) - 1n).toString()}"]`) {
      problems.push(`chunk ${id} begins behind ${lo} and at ${start}`)
    }
    if (hi != null && end != null && hi !== `["${end}"]`) problems.push(`chunk ${id} ends at ${hi} and at ${end}`)
    lastId = end
    if (hi == null) break
    at = hi
  }
  if (byStart.size > 0) problems.push(`${byStart.size} chunks are in no chain`)
  return problems
}

/** What a run that ended well leaves: a complete plan, no quarantined row, no other run that claims the table. */
async function endProblems(place: Place, name: string): Promise<readonly string[]> {
  const problems: string[] = []
  const [plan] = await place.rows(`SELECT planned, planner FROM migration_plans WHERE table_name = ${name}`)
  if (plan?.[0] !== '1') problems.push('the table is not cut to its end')
  if (plan?.[1] != null) problems.push(`${plan[1]} still cuts the table`)
  const [[aside] = []] = await place.rows(
    `SELECT COUNT(*) FROM migration_quarantine WHERE table_name = ${name} AND replayed_ms IS NULL`,
  )
  const [[noted] = []] = await place.rows(
    `SELECT COALESCE(SUM(rows_quarantined), 0) FROM migration_checkpoints WHERE table_name = ${name}`,
  )
  if (aside !== noted) problems.push(`${aside} rows are in the quarantine, and chunks tell of ${noted}`)
  const ended = await place.rows(
    `SELECT COUNT(*) FROM migration_checkpoints c JOIN migration_runs r ON r.run_id = c.run_id
     WHERE r.status = 'completed' AND c.status IN ('pending', 'in_progress', 'failed')`,
  )
  if (ended[0]?.[0] !== '0') problems.push('a run is completed, and chunks of it are not')
  if (aside !== '0') {
    const [latest] = await place.rows('SELECT exit_code FROM migration_runs ORDER BY run_id DESC LIMIT 1')
    if (latest?.[0] === '0') problems.push('rows are aside, and the last run ended with 0')
  }
  return problems
}

/** A chunk has one owner, and is in one table only. */
async function claimProblems(place: Place): Promise<readonly string[]> {
  const problems: string[] = []
  const [[running] = []] = await place.rows("SELECT COUNT(*) FROM migration_checkpoints WHERE status = 'in_progress'")
  if (running !== '0') problems.push(`${running} chunks are in progress`)
  const shared = await place.rows(
    'SELECT claim FROM migration_checkpoints WHERE claim IS NOT NULL GROUP BY claim HAVING COUNT(*) > 1',
  )
  if (shared.length > 0) problems.push(`${shared.length} claims hold more than one chunk`)
  const [[twice] = []] = await place.rows(
    'SELECT COUNT(*) FROM migration_chunk_history WHERE id IN (SELECT id FROM migration_checkpoints)',
  )
  if (twice !== '0') problems.push(`${twice} chunks are live and in the history`)
  return problems
}

export type LedgerWatch = {
  /** Inspects every chunk once more. */
  look(): Promise<void>
  readonly problems: readonly string[]
}

/** Inspects a ledger while copies run: fences never decrease, and completed chunks stay completed. */
export function watchLedger(place: Place, table: string): LedgerWatch {
  const seen = new Map<string, { readonly fence: bigint; readonly status: string }>()
  const problems: string[] = []
  return {
    problems,
    look: async () => {
      const rows = await place.rows(
        `SELECT id, fence, status, owner FROM migration_checkpoints WHERE table_name = ${literal(place, table)}`,
      )
      for (const [id, fence, status, owner] of rows) {
        const before = seen.get(id ?? '')
        const now = { fence: BigInt(fence ?? 0), status: status ?? '' }
        if (before !== undefined && now.fence < before.fence) problems.push(`the fence of chunk ${id} fell`)
        if (before?.status === 'completed' && now.status !== 'completed')
          problems.push(`chunk ${id} is ${status} again`)
        if (now.status === 'in_progress' && owner == null) problems.push(`chunk ${id} is in progress and nobody's`)
        seen.set(id ?? '', now)
      }
    },
  }
}

function literal({ system }: Place, text: string): string {
  const quoted = text.replaceAll("'", "''")
  return `'${system === 'mysql' ? quoted.replaceAll('\\', '\\\\') : quoted}'`
}

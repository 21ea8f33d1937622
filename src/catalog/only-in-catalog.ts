/** Finds commits that only the catalog still has: the log has lost them, for example by a cleanup. */
import type { LogListing } from '../delta/listing.ts'
import type { SqlDatabase, SqlReader } from '../model/run/sql-port.ts'
import { ORPHANS } from './export/commits.ts'

/** Maximum number of ranges in a text. */
const NAMED = 4

/**
 * Versions whose commit is in the catalog, and not in the log; ascending.
 * @param from first version of the catalog's history; the catalog may have commits below it, too
 * @param logFrom first version that the log can build. Commits from `from` up to, but not including, this version are
 * not returned
 */
export async function commitsOnlyInCatalog(
  reader: SqlReader,
  { tableId, from, logFrom }: { readonly tableId: string; readonly from: number; readonly logFrom: number },
  { commits }: Pick<LogListing, 'commits'>,
): Promise<readonly number[]> {
  const below = await reader.all(ORPHANS, [tableId, from])
  const within = await reader.all(
    `SELECT version FROM delta_commits WHERE table_id = ? AND version >= ? AND log_bytes IS NOT NULL AND version <=
      (SELECT current_version FROM delta_tables WHERE table_id = ?) ORDER BY version`,
    [tableId, Math.max(from, logFrom), tableId],
  )
  const inLog = new Set(commits.map(({ version }) => version))
  return [...below, ...within].map(([version]) => Number(version)).filter((version) => !inLog.has(version))
}

/**
 * As `commitsOnlyInCatalog`, but only commits at or below the base version `from`, read from the scratch copy of the
 * catalog that a validation has loaded.
 */
export async function commitsOnlyInCopy(
  scratch: SqlDatabase,
  from: number,
  inLog: Pick<ReadonlySet<number>, 'has'>,
): Promise<readonly number[]> {
  const rows = await scratch.all(`
    SELECT DISTINCT TRY_CAST(version AS BIGINT) AS v FROM cat_actions
    WHERE source = '0' AND v < ${from} AND kind IN ('add', 'commitInfo')
    UNION SELECT ${from} FROM cat_commits
    WHERE version = '${from}' AND log_bytes IS NOT NULL AND log_digest IS NOT NULL ORDER BY v`)
  return rows.map(([version]) => Number(version)).filter((version) => !inLog.has(version))
}

/** Versions in words, as ranges: `commits 0 to 3, 7`. */
export function versionsText(versions: readonly number[]): string {
  const spans: { from: number; to: number }[] = []
  for (const version of versions) {
    const last = spans.at(-1)
    if (last !== undefined && last.to === version - 1) last.to = version
    else spans.push({ from: version, to: version })
  }
  const texts = spans.slice(0, NAMED).map(({ from, to }) => (from === to ? `${from}` : `${from} to ${to}`))
  const more = spans.length > NAMED ? ` and ${spans.length - NAMED} more ranges` : ''
  return `commit${versions.length === 1 ? '' : 's'} ${texts.join(', ')}${more}`
}

/** Text about commits that only the catalog has; '' if there are none. */
export function onlyInCatalogText(versions: readonly number[]): string {
  if (versions.length === 0) return ''
  return `only the catalog has ${versionsText(versions)}`
}

/** Facts about the tables of a catalog, for lists. */
import type { NewestKnown } from '../../../catalog/import/same-log.ts'
import { leaseHolder } from '../../../catalog/lease.ts'
import { latestValidations } from '../../../catalog/validations.ts'
import { readImportHead, importCompleteness } from '../../../catalog/import/head.ts'
import { readStatus } from '../../../catalog/status.ts'
import type { ProtocolAction } from '../../../delta/actions.ts'
import { featureNames } from '../../../delta/features.ts'
import { hasEnded, thisProcess } from '../../../shared/owner.ts'
import type { SqlDatabase } from '../../../model/run/sql-port.ts'
import type { CatalogState, TableRow } from '../../../model/lake/answers.ts'

export type CatalogRow = Pick<
  TableRow,
  'location' | 'version' | 'historyFrom' | 'files' | 'bytes' | 'rows' | 'partitionColumns' | 'features' | 'proof'
> & {
  readonly tableId: string
  readonly commitTime: number | null
  /** The commit of `version`, as it was imported. */
  readonly newest: NewestKnown | null
  /** URL of the catalog as displayed. */
  readonly catalogUrl: string
  readonly state: CatalogState
}

/**
 * Tables of a catalog, ordered by id. Ignores leases of processes that have ended.
 * @param only these locations; all tables if absent
 */
export async function catalogRows(database: SqlDatabase, only?: ReadonlySet<string>): Promise<readonly CatalogRow[]> {
  const now = await database.now()
  const proofs = await latestValidations(database)
  const heads = await database.all(
    `SELECT t.table_id, t.location, t.current_version, t.history_from, t.num_files, t.num_bytes, t.num_records, t.current_commit_time,
       t.partition_columns, t.protocol, t.configuration, c.log_bytes, c.log_digest
     FROM delta_tables t LEFT JOIN delta_commits c ON c.table_id = t.table_id AND c.version = t.current_version ORDER BY t.table_id`,
  )
  const rows: CatalogRow[] = []
  for (const head of heads) {
    const [
      tableId,
      location,
      version,
      historyFrom,
      files,
      bytes,
      records,
      commitTime,
      partitions,
      protocol,
      configuration,
      logBytes,
      logDigest,
    ] = head as [
      string,
      string,
      number | null,
      number | null,
      number | null,
      number | null,
      number | null,
      number | null,
      string | null,
      string | null,
      string | null,
      number | null,
      Uint8Array | null,
    ]
    if (only !== undefined && !only.has(location)) continue
    const proof = proofs.get(tableId)
    const state = await stateOf(database, tableId, now)
    const known = state.state === 'none' ? null : version
    rows.push({
      tableId,
      location,
      version: known,
      historyFrom: known === null ? null : historyFrom,
      files: known === null ? null : files,
      bytes: known === null ? null : bytes,
      rows: known === null ? null : records,
      commitTime: known === null ? null : commitTime,
      newest: known === null ? null : { version: known, bytes: logBytes, digest: logDigest },
      catalogUrl: database.label,
      partitionColumns: partitions === null ? [] : (JSON.parse(partitions) as string[]),
      features:
        protocol === null
          ? []
          : featureNames(JSON.parse(protocol) as ProtocolAction, {
              id: '',
              schemaString: '',
              configuration: JSON.parse(configuration ?? '{}') as Record<string, string>,
            }),
      state,
      proof:
        // A validation is void if the table's rows were removed by hand.
        proof === undefined || known === null
          ? { state: 'never' }
          : proof.differences === 0
            ? { state: 'proved', version: proof.version }
            : { state: 'differs', version: proof.version, differences: proof.differences },
    })
  }
  return rows
}

/** Current version of each table in the catalog, by location: one cheap query. */
export async function catalogVersions(database: SqlDatabase): Promise<ReadonlyMap<string, number | null>> {
  const rows = await database.all('SELECT location, current_version FROM delta_tables')
  return new Map(rows as [string, number | null][])
}

async function stateOf(database: SqlDatabase, tableId: string, now: number): Promise<CatalogState> {
  const head = await readImportHead(database, { tableId })
  if (head === null) return { state: 'none' }
  const holder = await leaseHolder(database, tableId, now)
  if (holder !== null && !hasEnded(holder, thisProcess()))
    return { state: 'running', holder: `${holder.command} (process ${holder.pid})` }
  const whole = await importCompleteness(database, head)
  if (whole === 'whole') return { state: 'current' }
  if (whole === 'broken') return { state: 'none' }
  const [last] = await readStatus(database, tableId)
  if (last?.status === 'failed') {
    const [code = 'INTERNAL', ...words] = (last.errorMessage ?? '').split(': ')
    return { state: 'failed', error: { code: code as 'INTERNAL', message: words.join(': '), retryable: true } }
  }
  const { done = 0, total = 0 } = head.cursor ?? {}
  return {
    state: 'unfinished',
    percent: total === 0 ? 0 : Math.floor((done / total) * 100),
    version: head.currentVersion,
  }
}

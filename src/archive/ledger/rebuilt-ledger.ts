/** Writes a table and its partitions into a ledger that lost them, or never had them. */
import type { SqlValue } from '../../model/run/sql-port.ts'
import type { LedgerDatabase, Statement } from '../../model/run/ledger-port.ts'
import type { Origin } from '../../model/copy/identification-port.ts'
import { ledgerDialect } from '../../stores/ledger-dialect.ts'
import { filesText } from './cells.ts'
import type { ArchivedPartition, ArchiveRecord } from './record.ts'

/** Origin until the archive belongs to this ledger. With this origin, a run is refused, and adopt rebuilds again. */
const BEGUN: Origin = { rebuilt: 'begun' }

/** True if a rebuild was killed before the archive belonged to this ledger: its rows are not valid yet. */
export function isBeingRebuilt({ origin }: Pick<ArchiveRecord, 'origin'>): boolean {
  return origin?.['rebuilt'] !== undefined
}

/**
 * Writes all rows in one transaction, which fails if another program has created the archive of this table meanwhile.
 * @param replaces id of the table's archive in the ledger, which published nothing; null if the ledger has none
 * @param more statements of the same transaction
 */
export async function writeRebuilt(
  database: LedgerDatabase,
  record: Omit<ArchiveRecord, 'revision' | 'origin'>,
  { tool, runId, replaces }: { readonly tool: string; readonly runId: bigint; readonly replaces: string | null },
  more: readonly Statement[],
): Promise<void> {
  const { table } = record
  const key = [table.schema ?? '', table.name]
  const { now, unlessThere } = ledgerDialect(database.dialect)
  const ofTable = 'schema_name = ? AND table_name = ?'
  const begun = JSON.stringify(BEGUN)
  const insert = (
    into: string,
    values: Readonly<Record<string, SqlValue>>,
    times: Readonly<Record<string, string>>,
    end = '',
  ) => ({
    sql: `INSERT INTO ${into} (${['schema_name', 'table_name', ...Object.keys(values), ...Object.keys(times)].join(', ')})
          VALUES (${[...key, ...Object.values(values)].map(() => '?').join(', ')}${Object.values(times)
            .map((time) => `, ${time}`)
            .join('')}) ${end}`,
    parameters: [...key, ...Object.values(values)],
  })
  await database.batch([
    {
      sql: `DELETE FROM migration_archives WHERE ${ofTable} AND (origin = ? OR archive_id = ?)`,
      parameters: [...key, begun, replaces ?? ''],
    },
    insert(
      'migration_archives',
      {
        archive: record.archive,
        archive_id: record.archiveId,
        time_column: record.timeColumn,
        calendar: record.calendar,
        stored: JSON.stringify(record.stored),
        grace_ms: record.graceMs,
        retention_ms: record.retentionMs,
        revision: 1,
        tool,
        origin: begun,
      },
      { created_ms: now },
    ),
    { sql: `DELETE FROM migration_archive_partitions WHERE ${ofTable}`, parameters: key },
    ...record.partitions.map((one) =>
      insert(
        'migration_archive_partitions',
        { ...valuesOf(one), run_id: runId },
        {
          planned_ms: now,
          changed_ms: now,
          ...(one.state === 'DETACHED' ? { drop_after_ms: `${now} + ${Math.round(record.graceMs)}` } : {}),
        },
      ),
    ),
    ...record.partitions.map(({ label, state, fence, digest, version }) =>
      insert(
        'migration_archive_history',
        {
          partition_name: label,
          fence,
          state,
          num_rows: digest?.rows ?? null,
          checksum: digest?.sum ?? null,
          delta_version: version,
          run_id: runId,
          error_message: 'the ledger was rebuilt from the archive',
        },
        { at_ms: now },
        // Keep history rows that are already in the ledger.
        unlessThere,
      ),
    ),
    ...more,
  ])
}

function valuesOf(one: ArchivedPartition): Readonly<Record<string, SqlValue>> {
  const { digest, files, native, removed } = one
  return {
    partition_name: one.label,
    period: one.part === 1 ? null : one.period,
    part: one.part === 1 ? null : one.part,
    state: one.state,
    from_bound: one.from,
    to_bound: one.to,
    native_schema: native?.table.schema ?? null,
    native_table: native?.table.name ?? null,
    native_identity: native?.identity ?? null,
    num_rows: digest?.rows ?? null,
    checksum: digest?.sum ?? null,
    files: filesText(files),
    file_bytes: files.reduce((sum, { bytes }) => sum + bytes, 0n),
    delta_version: one.version,
    removed_rows: removed.rows,
    removed_sum: removed.sum,
    retracted: one.retracted ? 1 : 0,
    hold_reason: one.held,
    fence: one.fence,
    logged_files: JSON.stringify(one.logged ?? []),
    stored: digest === null ? null : JSON.stringify(one.columns),
    away: one.away ? 1 : 0,
    expired_ms: one.expired?.ms ?? null,
    expired_by: one.expired?.by ?? null,
    swept_ms: one.sweptMs,
    chosen_by: one.chosenBy,
  }
}

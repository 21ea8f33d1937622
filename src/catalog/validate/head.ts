/** The row of a table in `delta_tables`, and its comparison with the log and with the table's other rows. */
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import { SluiceError } from '../../shared/errors.ts'
import { sqlLiteral } from '../../shared/sql-text.ts'
import { copyOf } from './load-catalog.ts'
import { logMetadataAt, logProtocolAt } from './replay-sql.ts'
import { NO_SCHEMA } from './state-checks.ts'
import type { ValidateComparison } from './compare.ts'
import type { Report } from './report.ts'

export type CatalogHead = {
  readonly version: number
  readonly historyFrom: number
  /** Progress of an unfinished import, or null. Its rows above `version` are not yet visible to readers. */
  readonly cursor: string | null
  readonly importId: string | null
}

/** @throws SluiceError NOT_IMPORTED, IMPORT_UNFINISHED */
export async function importedHead(scratch: SqlDatabase, tableId: string): Promise<CatalogHead> {
  const [row] = await scratch.all(
    'SELECT TRY_CAST(current_version AS BIGINT), TRY_CAST(history_from AS BIGINT), cursor, import_id FROM cat_tables',
  )
  if (row === undefined) {
    throw new SluiceError('NOT_IMPORTED', `the catalog has no table ${tableId}`, { hint: 'import it first' })
  }
  const [version, historyFrom, cursor, importId] = row
  if (typeof version !== 'number' || typeof historyFrom !== 'number') {
    throw new SluiceError('IMPORT_UNFINISHED', `no version of ${tableId} is complete in the catalog yet`, {
      hint: 'finish the import, then validate',
    })
  }
  const text = (value: typeof cursor): string | null => (value === null || value === undefined ? null : String(value))
  return { version, historyFrom, cursor: text(cursor), importId: text(importId) }
}

/**
 * True if the catalog's first version was read from a checkpoint. False for a table pruned to this version, even if its
 * log was cleaned to the same version. Three relations hold rows of that checkpoint: raw actions, protocol and
 * metadata. The majority of the three decides; the comparison then reports rows that disagree.
 */
export async function beganAtBase(scratch: SqlDatabase, version: number): Promise<boolean> {
  const relations = ['cat_actions', 'cat_protocols', 'cat_metadata']
  const votes = relations.map(
    (name) => `(SELECT CAST(count(*) > 0 AS INT) FROM ${name} WHERE version = '${version}' AND source = '1')`,
  )
  const [row] = await scratch.all(`SELECT ${votes.join(' + ')}`)
  return Number(row?.[0]) >= 2
}

/**
 * SQL that removes from the scratch copies the rows that an unfinished import has written above the current version,
 * and the rows below a new base that it has not deleted yet.
 */
export const hideUnfinished = ({ version, historyFrom, cursor }: CatalogHead): readonly string[] => [
  ...['commits', 'actions', 'metadata', 'protocols', 'txns', 'domains'].map(
    (relation) => `DELETE FROM cat_${relation} WHERE TRY_CAST(version AS BIGINT) > ${version}`,
  ),
  `DELETE FROM cat_files WHERE TRY_CAST(added_version AS BIGINT) > ${version}`,
  `UPDATE cat_files SET removed_version = NULL WHERE TRY_CAST(removed_version AS BIGINT) > ${version}`,
  ...(/"rebase":(\d+)/.exec(cursor ?? '')?.[1] === String(historyFrom)
    ? [
        `DELETE FROM cat_actions WHERE TRY_CAST(version AS BIGINT) < ${historyFrom}`,
        `DELETE FROM cat_files WHERE TRY_CAST(added_version AS BIGINT) < ${historyFrom} AND TRY_CAST(removed_version AS BIGINT) <= ${historyFrom}`,
      ]
    : []),
]

const ISO = '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$'

/** Compares all columns of the row with values derived from the log and from `cat_commits`. */
const headComparison = (version: number, root: string): ValidateComparison => ({
  check: 'table',
  version: `${version}`,
  path: 'NULL',
  on: 'l.present = c.present',
  log: `SELECT 1 AS present, t.*, tm.commit_time, tm.has_commit, m.raw AS metadata, p.raw AS protocol, first.version AS first_version, ${sqlLiteral(root)} AS root
    FROM log_total t JOIN log_time tm USING (version), (SELECT max(raw) AS raw FROM (${logMetadataAt(version)})) m,
      (SELECT max(raw) AS raw FROM (${logProtocolAt(version)})) p, (SELECT min(TRY_CAST(version AS BIGINT)) AS version FROM cat_commits) first
    WHERE t.version = ${version}`,
  catalog: 'SELECT *, 1 AS present FROM cat_tables',
  fields: [
    { name: 'location', log: 'l.root', catalog: 'c.location' },
    { name: 'history_from', log: 'l.first_version', catalog: 'c.history_from' },
    { name: 'num_files', log: 'l.num_files', catalog: 'c.num_files' },
    { name: 'num_bytes', log: 'l.num_bytes', catalog: 'c.num_bytes' },
    {
      name: 'num_records',
      log: 'CASE WHEN l.files_without_records = 0 THEN l.num_records END',
      catalog: 'c.num_records',
    },
    { name: 'metadata_id', log: "l.metadata->>'$.metaData.id'", catalog: 'c.metadata_id' },
    { name: 'name', log: "l.metadata->>'$.metaData.name'", catalog: 'c.name' },
    { name: 'description', log: "l.metadata->>'$.metaData.description'", catalog: 'c.description' },
    { name: 'schema', log: `coalesce(l.metadata->>'$.metaData.schemaString', '${NO_SCHEMA}')`, catalog: 'c.schema' },
    {
      name: 'partition_columns',
      log: "coalesce(l.metadata->>'$.metaData.partitionColumns', '[]')",
      catalog: 'c.partition_columns',
      mode: 'values',
    },
    {
      name: 'configuration',
      log: "coalesce(l.metadata->>'$.metaData.configuration', '{}')",
      catalog: 'c.configuration',
      mode: 'values',
    },
    { name: 'protocol', log: "l.protocol->>'$.protocol'", catalog: 'c.protocol', mode: 'json' },
    // These columns are not in the log: the importer writes them, so only their format can be checked.
    {
      name: 'created_at',
      log: `CASE WHEN regexp_matches(c.created_at, '${ISO}') AND c.created_at <= c.updated_at THEN c.created_at END`,
      catalog: 'c.created_at',
    },
    {
      name: 'updated_at',
      log: `CASE WHEN regexp_matches(c.updated_at, '${ISO}') THEN c.updated_at END`,
      catalog: 'c.updated_at',
    },
    {
      name: 'refused',
      log: `CASE WHEN regexp_matches(c.refused, '^(TABLE_FEATURE|PROTOCOL_VERSION): ') THEN c.refused END`,
      catalog: 'c.refused',
    },
  ],
})

/** Compares the row of `delta_tables`; `sameStart` as in `VersionRange`. */
export async function checkHead(report: Report, head: CatalogHead, root: string, sameStart: boolean): Promise<void> {
  const comparison = headComparison(head.version, root)
  const isKnown = sameStart ? 'true' : 'l.has_commit'
  const time = {
    name: 'current_commit_time',
    log: `CASE WHEN ${isKnown} THEN l.commit_time END`,
    catalog: `CASE WHEN ${isKnown} THEN c.current_commit_time END`,
  }
  await report.compare(head.version, 'table', '_delta_log', [{ ...comparison, fields: [...comparison.fields, time] }])
}

/**
 * Checks that `migration_status` shows the table's import as completed. Head and status row are from one snapshot of
 * the catalog, because an import may have continued since.
 */
export async function checkImport(report: Report, scratch: SqlDatabase, head: CatalogHead): Promise<void> {
  const rows = await scratch.all(`SELECT import_id, status, version FROM ${copyOf('migration_status')}`)
  if (head.cursor !== null) {
    const running = rows.find(([id]) => id === idIn(head.cursor))
    const state = running === undefined || running[1] === 'completed' ? head.cursor : null
    await report.value(head.version, 'import', 'migration_status', 'cursor', null, state)
    report.notes.push(`an import is unfinished; version ${head.version} was checked`)
    if (state === null) return
  }
  const row = rows.find(([id]) => id === head.importId)
  await report.value(head.version, 'import', 'migration_status', 'status', 'completed', row?.[1])
  await report.value(head.version, 'import', 'migration_status', 'version', String(head.version), row?.[2])
}

/** The import id in a cursor; null if the cursor is damaged. */
function idIn(cursor: string | null): string | null {
  return /"importId":"(\d+)"/.exec(cursor ?? '')?.[1] ?? null
}

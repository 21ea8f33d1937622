/**
 * Compares a checkpoint with the replay of the log at its version, action by action. A checkpoint does not repeat the
 * adds of commits unchanged: of 153 adds in real checkpoints, 146 have another `dataChange`, 22 have no statistics, and
 * 4 have rewritten statistics. Therefore only fields that "Action Reconciliation" (PROTOCOL.md) keeps must be equal.
 * Partition values are compared by the types of their columns, and so are statistics if both sides have them. Expired
 * actions may be missing.
 */
import { LINE_SOURCE } from './scratch.ts'
import { logDomainsAt, logMetadataAt, logProtocolAt, logTxnsAt } from './replay-sql.ts'
import { rawColumns, type ParsedKind } from './state-checks.ts'
import { sameFields, VECTOR_OF_CHECKPOINT } from './checks.ts'
import type { ValidateComparison, ComparedField } from './compare.ts'

/** Removed files and transactions before these instants (ms) have expired; -Infinity: never. */
export type Expiry = { readonly removes: number; readonly txns: number }

const KEYED = `SELECT a.*, coalesce(k.key, a.path) AS key, coalesce(a.dv_id, '') AS dv, count(*) OVER (PARTITION BY coalesce(k.key, a.path), a.dv_id) AS copies`
const CHECKPOINT_ADDS = `${KEYED} FROM log_add a LEFT JOIN path_key k ON k.path = a.path WHERE a.source = ${LINE_SOURCE.witness}`
const CHECKPOINT_REMOVES = `${KEYED} FROM log_remove a LEFT JOIN path_key k ON k.path = a.path WHERE a.source = ${LINE_SOURCE.witness}`

/** Newest event of every file up to a version; a remove in the base checkpoint is older than every commit. */
const newestEvents = (version: number): string => `
SELECT * FROM (
  SELECT version, source, line, key, dv, is_add FROM log_event WHERE version <= ${version}
  UNION ALL
  SELECT r.version, r.source, r.line, coalesce(k.key, r.path), coalesce(r.dv_id, ''), false
  FROM log_remove r LEFT JOIN path_key k ON k.path = r.path WHERE r.source = ${LINE_SOURCE.base})
QUALIFY row_number() OVER (PARTITION BY key, dv ORDER BY version DESC, CASE source WHEN 0 THEN 1 ELSE 0 END DESC, line DESC) = 1`

const activeAt = (version: number): string =>
  `SELECT e.key, e.dv, a.*, 1 AS copies FROM (${newestEvents(version)}) e JOIN log_add a USING (version, source, line) WHERE e.is_add`

const tombstonesAt = (version: number): string =>
  `SELECT e.key, e.dv, r.*, 1 AS copies FROM (${newestEvents(version)}) e JOIN log_remove r USING (version, source, line) WHERE NOT e.is_add`

const listOf = (column: string): string =>
  `coalesce(CAST(list_sort(TRY_CAST(${column} AS VARCHAR[])) AS VARCHAR), '[]')`
const emptied = (side: string, name: string): string => `coalesce(nullif(${side}."${name}", 'null'), '{}')`
const list = (name: string): ComparedField => ({ name, log: listOf(`l."${name}"`), catalog: listOf(`c."${name}"`) })
const map = (name: string): ComparedField => ({
  name,
  log: emptied('l', name),
  catalog: emptied('c', name),
  mode: 'json',
})

const filesComparison = (version: number): ValidateComparison => ({
  check: 'checkpoint: files',
  version: `${version}`,
  path: 'coalesce(l.path, c.path)',
  on: 'l.key = c.key AND l.dv = c.dv',
  log: `SELECT *, 1 AS present FROM (${CHECKPOINT_ADDS})`,
  catalog: `SELECT *, 1 AS present FROM (${activeAt(version)})`,
  fields: [
    ...sameFields([
      'copies',
      'size',
      'modification_time',
      'base_row_id',
      'default_row_commit_version',
      'clustering_provider',
    ]),
    ...sameFields(['partition_values'], 'spelled'),
    VECTOR_OF_CHECKPOINT,
    map('tags'),
    {
      name: 'stats',
      log: 'coalesce(l.stats, l.stats_parsed)',
      catalog: 'coalesce(c.stats, c.stats_parsed)',
      mode: 'shared',
    },
  ],
})

/** An expired remove may be in a checkpoint or not, but never together with the file itself. */
function tombstonesComparison(version: number, { removes }: Expiry): ValidateComparison {
  const alive = removes === -Infinity ? 'true' : `deletion_timestamp > ${removes}`
  const [theirs, ours] = [CHECKPOINT_REMOVES, tombstonesAt(version)]
  return {
    check: 'checkpoint: tombstones',
    version: `${version}`,
    path: 'coalesce(l.path, c.path)',
    on: 'l.key = c.key AND l.dv = c.dv',
    log: `SELECT *, 1 AS present FROM (${theirs}) WHERE ${alive} OR (key, dv) IN (SELECT (key, dv) FROM (${ours}))
      OR (key, dv) IN (SELECT (key, dv) FROM (${newestEvents(version)}) WHERE is_add)`,
    catalog: `SELECT *, 1 AS present FROM (${ours}) WHERE ${alive} OR (key, dv) IN (SELECT (key, dv) FROM (${theirs}))`,
    fields: [
      ...sameFields(['copies', 'deletion_timestamp']),
      { name: 'size', log: 'coalesce(l.size, c.size)', catalog: 'coalesce(c.size, l.size)' },
      ...sameFields(['partition_values'], 'shared'),
    ],
  }
}

/** A JSON text that a writer may have rewritten: white space is ignored. */
const minified = (name: string): ComparedField => {
  const text = (side: string): string => `coalesce(CAST(TRY(json(${side}."${name}")) AS VARCHAR), ${side}."${name}")`
  return { name, log: text('l'), catalog: text('c'), mode: 'json' }
}

type StateCheck = {
  readonly key: string | null
  readonly replay: (version: number) => string
  readonly fields: readonly ComparedField[]
}

const STATES: Readonly<Record<ParsedKind, StateCheck>> = {
  protocol: {
    key: null,
    replay: logProtocolAt,
    fields: [
      ...sameFields(['min_reader_version', 'min_writer_version']),
      list('reader_features'),
      list('writer_features'),
    ],
  },
  metaData: {
    key: null,
    replay: logMetadataAt,
    fields: [
      ...sameFields(['metadata_id', 'name', 'description', 'format_provider', 'created_time']),
      minified('schema_string'),
      ...sameFields(['partition_columns'], 'values'),
      map('format_options'),
      map('configuration'),
    ],
  },
  txn: { key: 'app_id', replay: logTxnsAt, fields: sameFields(['txn_version', 'last_updated']) },
  domainMetadata: { key: 'domain', replay: logDomainsAt, fields: sameFields(['configuration']) },
}

function stateComparison(kind: ParsedKind, version: number, { txns }: Expiry): ValidateComparison {
  const { key, replay, fields } = STATES[kind]
  const over = key === null ? '' : `PARTITION BY ${key}`
  const theirs = `SELECT *, count(*) OVER (${over}) AS rows, 1 AS present FROM (
    SELECT ${rawColumns(kind)} FROM log_other WHERE kind = '${kind}' AND source = ${LINE_SOURCE.witness})`
  const ours = `SELECT ${rawColumns(kind)}, 1 AS rows, 1 AS present FROM (${replay(version)})`
  // If the table sets a retention, a transaction without a time expires at once (delta-spark, InMemoryLogReplay).
  const expired =
    kind === 'txn' && txns !== -Infinity ? `coalesce(TRY_CAST(last_updated AS BIGINT), 0) <= ${txns}` : 'false'
  return {
    check: `checkpoint: ${kind}`,
    version: `${version}`,
    path: key === null ? 'NULL' : `coalesce(l.${key}, c.${key})`,
    on: key === null ? 'l.present = c.present' : `l.${key} = c.${key}`,
    log: kind === 'domainMetadata' ? `SELECT * FROM (${theirs}) WHERE removed = '0'` : theirs,
    catalog:
      kind === 'txn'
        ? `SELECT * FROM (${ours}) WHERE NOT ${expired} OR app_id IN (SELECT app_id FROM (${theirs}))`
        : ours,
    fields: [...sameFields(['rows']), ...fields],
  }
}

/**
 * Comparisons of the replay with the checkpoint that was loaded as second source. Side `log`: rows of the checkpoint.
 * Side `catalog`: rows of the replay.
 */
export function checkpointComparisons(version: number, expiry: Expiry): readonly ValidateComparison[] {
  const states = (Object.keys(STATES) as ParsedKind[]).map((kind) => stateComparison(kind, version, expiry))
  return [...states, filesComparison(version), tombstonesComparison(version, expiry)]
}

/** Compares log and catalog, relation by relation and column by column. */
import { VECTOR_FIELDS } from '../../delta/actions.ts'
import { COMMIT_COLUMNS } from '../relations.ts'
import type { ValidateComparison, ComparedField } from './compare.ts'
import { catalogActiveAt, logActiveAt } from './replay-sql.ts'

/**
 * Versions in both log and catalog. If they begin differently, `sameStart` is false: lifetimes at `from` cannot be
 * compared exactly.
 */
export type VersionRange = { readonly from: number; readonly version: number; readonly sameStart: boolean }

/** Fields with the same name on both sides. */
export const sameFields = (names: readonly string[], mode?: ComparedField['mode']): ComparedField[] =>
  names.map((name) => ({ name, log: `l."${name}"`, catalog: `c."${name}"`, ...(mode === undefined ? {} : { mode }) }))

/** A deletion vector without fields for which a checkpoint has no column. */
const vectorOf = (side: string): string =>
  `CASE WHEN nullif(${side}.deletion_vector, 'null') IS NOT NULL THEN CAST(json_object(${VECTOR_FIELDS.map((name) => `'${name}', json_extract(${side}.deletion_vector, '$.${name}')`).join(', ')}) AS VARCHAR) END`

/** The vector, for comparisons in which at least one side comes from a checkpoint. */
export const VECTOR_OF_CHECKPOINT: ComparedField = {
  name: 'deletion_vector',
  log: vectorOf('l'),
  catalog: vectorOf('c'),
  mode: 'json',
}

/** File lifetimes of the log, with the fields of their adds. */
const LOG_LIFETIMES = `
SELECT l.*, a.* EXCLUDE (version, source, line), 1 AS present FROM log_life l JOIN log_add a USING (version, source, line)`

/** Fields that are the same in a checkpoint as in a commit. */
const STATE_FIELDS: readonly ComparedField[] = [
  ...sameFields(['size', 'modification_time']),
  {
    name: 'partition_values',
    log: 'l.partition_values',
    catalog: "coalesce(c.partition_values, 'none')",
    mode: 'values',
  },
  { name: 'deletion_vector', log: 'l.deletion_vector', catalog: 'c.deletion_vector', mode: 'json' },
  ...sameFields(['dv_id', 'base_row_id', 'default_row_commit_version', 'clustering_provider']),
  { name: 'removed_version', log: 'l.removed_version', catalog: 'c.removed_version' },
  { name: 'key_hash', log: 'c.expected_hash', catalog: 'c.key_hash' },
]

/** SQL that numbers the active rows of one file: a base checkpoint may list a file several times. */
const placeBy = (order: string): string => `row_number() OVER (PARTITION BY key, dv ORDER BY ${order}) AS place`

/** A checkpoint may have a file's stats only in columns, without their text: then values are compared. */
const STATS_FIELDS: readonly ComparedField[] = [
  {
    name: 'stats',
    log: "CASE WHEN l.stats_parsed IS NULL THEN coalesce(l.stats, 'none') END",
    catalog: "CASE WHEN l.stats_parsed IS NULL THEN coalesce(c.stats, 'none') END",
  },
  {
    name: 'stats',
    log: 'l.stats_parsed',
    catalog: 'CASE WHEN l.stats_parsed IS NOT NULL THEN c.stats END',
    mode: 'stats',
  },
]

const EXACT_FIELDS: readonly ComparedField[] = [
  ...sameFields(['path', 'num_records', 'line', 'data_change']),
  { name: 'tags', log: 'l.tags', catalog: 'c.tags', mode: 'values' },
  { name: 'from_checkpoint', log: "CASE WHEN l.source = 1 THEN '1' ELSE '0' END", catalog: 'c.from_checkpoint' },
  {
    name: 'add_raw',
    log: "CASE WHEN l.source = 0 THEN l.digest ELSE 'none' END",
    catalog: "CASE WHEN l.source = 0 THEN c.digest ELSE coalesce(c.add_raw, 'none') END",
  },
]

export function compareFileLifetimes({ from, sameStart }: VersionRange): readonly ValidateComparison[] {
  const on = 'l.key = c.key AND l.dv = c.dv AND l.version = c.added AND l.nth = c.nth'
  const common = { check: 'files', version: 'coalesce(l.version, c.added)', path: 'coalesce(l.path, c.path)' }
  const after = sameStart ? '' : ` WHERE version > ${from}`
  const exact: ValidateComparison = {
    ...common,
    on,
    log: `SELECT * FROM (${LOG_LIFETIMES})${after}`,
    catalog: `SELECT *, 1 AS present FROM cat_life${sameStart ? '' : ` WHERE added > ${from}`}`,
    fields: [...EXACT_FIELDS, ...STATS_FIELDS, ...STATE_FIELDS],
  }
  if (sameStart) return [exact]
  // Files of both sides at the first version: only one side has the versions at which their lifetimes began.
  const atBorder: ValidateComparison = {
    ...common,
    on: 'l.key = c.key AND l.dv = c.dv',
    log: `SELECT * FROM (${LOG_LIFETIMES}) WHERE version <= ${from} AND (removed_version IS NULL OR removed_version > ${from})`,
    catalog: `SELECT *, 1 AS present FROM cat_life WHERE added <= ${from} AND (removed_version IS NULL OR removed > ${from})`,
    fields: [
      // The values on one side are spelled by the writer of a checkpoint, those on the other side by the writer of a
      // commit.
      ...STATE_FIELDS.map((field): ComparedField => {
        if (field.name === 'deletion_vector') return VECTOR_OF_CHECKPOINT
        return field.name === 'partition_values' ? { ...field, mode: 'spelled' } : field
      }),
      { name: 'stats', log: 'coalesce(l.stats, l.stats_parsed)', catalog: 'c.stats', mode: 'shared' },
    ],
  }
  return [exact, atBorder]
}

export function compareActive(version: number): ValidateComparison {
  return {
    check: 'active files',
    version: `${version}`,
    path: 'coalesce(l.path, c.path)',
    on: 'l.key = c.key AND l.dv = c.dv AND l.place = c.place',
    log: `SELECT *, 1 AS present, ${placeBy('line')} FROM (${logActiveAt(version)})`,
    catalog: `SELECT *, 1 AS present, ${placeBy('nth')} FROM (${catalogActiveAt(version)})`,
    fields: sameFields(['size', 'num_records']),
  }
}

const TOTALS = ['num_files', 'num_bytes', 'num_records', 'files_without_records']
const [, , ...COMMIT_FIELDS] = COMMIT_COLUMNS
const COMMIT_FACTS = COMMIT_FIELDS.filter((name) => !TOTALS.includes(name))

export function commitsComparison({ from, version, sameStart }: VersionRange): ValidateComparison {
  const where = (condition: string, name: string): ComparedField => ({
    name,
    log: `CASE WHEN ${condition} THEN l."${name}" END`,
    catalog: `CASE WHEN ${condition} THEN c."${name}" END`,
  })
  const facts = sameStart
    ? sameFields(COMMIT_FACTS)
    : [
        // Compare times only if both sides have the commit: a checkpoint has another time.
        where('l.has_commit AND c.log_bytes IS NOT NULL', 'commit_time'),
        ...COMMIT_FACTS.filter((name) => name !== 'commit_time' && name !== 'first_file_no').map((name) =>
          where(`l.version > ${from}`, name),
        ),
      ]
  return {
    check: 'commits',
    version: 'coalesce(l.version, TRY_CAST(c.version AS BIGINT))',
    path: 'NULL',
    on: 'CAST(l.version AS VARCHAR) = c.version',
    log: `SELECT *, 1 AS present FROM log_commit WHERE version BETWEEN ${from} AND ${version}`,
    catalog: `SELECT *, 1 AS present FROM cat_commits WHERE ${sameStart ? 'true' : `TRY_CAST(version AS BIGINT) >= ${from}`}`,
    fields: [...facts, ...sameFields(TOTALS)],
  }
}

/**
 * Compares lines that are in no other relation, byte for byte. Rows of a checkpoint have no text, so they are compared
 * by value.
 */
export function compareActions({ from, sameStart }: VersionRange): readonly ValidateComparison[] {
  // After a move to a new base, or a prune, the catalog has no commit below the first version. Otherwise it has all of
  // them.
  const known = `(o.version >= ${from} OR EXISTS (SELECT 1 FROM cat_actions WHERE TRY_CAST(version AS BIGINT) < ${from}))`
  const kept = `SELECT o.version, CASE WHEN o.source = 1 THEN 1 ELSE 0 END AS source, o.line, o.kind, o.raw, 1 AS present
    FROM log_other o LEFT JOIN log_info i ON i.version = o.version AND i.line = o.line AND o.source IN (0, 3)
    WHERE i.version IS NULL AND ${sameStart ? known : `o.version > ${from}`}`
  const held = `SELECT *, 1 AS present FROM cat_actions${sameStart ? '' : ` WHERE TRY_CAST(version AS BIGINT) > ${from}`}`
  return [0, 1].map((source) => ({
    check: 'actions',
    version: 'coalesce(l.version, TRY_CAST(c.version AS BIGINT))',
    path: "coalesce(l.kind, c.kind) || ' on line ' || coalesce(CAST(l.line AS VARCHAR), c.line, '?')",
    on: 'CAST(l.version AS VARCHAR) = c.version AND CAST(l.line AS VARCHAR) = c.line',
    log: `SELECT * FROM (${kept}) WHERE source = ${source}`,
    catalog: `SELECT * FROM (${held}) WHERE source ${source === 1 ? "= '1'" : "IS DISTINCT FROM '1'"}`,
    fields: [...sameFields(['kind', 'source']), ...sameFields(['raw'], source === 1 ? 'json' : 'text')],
  }))
}

/**
 * Replaces '' by NULL, which is the same partition. In JSON only such a value has a colon and two quotes before `,` or
 * `}`.
 */
export const emptyAsNull = (values: string): string => `regexp_replace(${values}, ':""([,}])', ':null\\1', 'g')`

/** A file's partition row must have the file's values, and the hash that belongs to them. */
export const comparePartitions: ValidateComparison = {
  check: 'partitions',
  version: 'c.added',
  path: 'c.path',
  on: 'l.partition_no = c.partition_no',
  log: `SELECT any_value(partition_values) AS partition_values, partition_no, count(*) AS n, 1 AS present FROM cat_partitions
    WHERE partition_no IN (SELECT partition_no FROM cat_files) GROUP BY partition_no`,
  catalog: 'SELECT *, 1 AS present FROM cat_life',
  uncounted: true,
  fields: [
    {
      name: 'partition_no',
      log: `coalesce(${emptyAsNull('c.partition_values')}, 'none')`,
      catalog: emptyAsNull('l.partition_values'),
      mode: 'values',
    },
  ],
}

export const comparePartitionRows: ValidateComparison = {
  check: 'partitions',
  version: '0',
  path: 'c.partition_values',
  on: 'l.partition_no = c.partition_no',
  log: 'SELECT partition_no, expected_hash, 1 AS present FROM cat_partitions',
  catalog: 'SELECT *, 1 AS present FROM cat_partitions',
  fields: [{ name: 'values_hash', log: 'l.expected_hash', catalog: 'c.values_hash' }],
}

/** Compares protocol, metadata, transactions and domains: each row with its line, and the state at a version. */
import type { METADATA_COLUMNS, PROTOCOL_COLUMNS } from '../relations.ts'
import { sameFields, type VersionRange } from './checks.ts'
import type { ValidateComparison, ComparedField } from './compare.ts'

const json = (path: string): string => `json_extract_string(raw, '${path}')`
const flag = (path: string): string => `CASE WHEN ${json(path)} = 'true' THEN '1' ELSE '0' END`
/** A time that is only displayed; NULL if it is not a whole number. */
const time = (path: string): string => `nullif(regexp_extract(${json(path)}, '^-?[0-9]{1,16}$'), '')`

/** The schema assumed for metadata without a schema. */
export const NO_SCHEMA = '{"type":"struct","fields":[]}'

/** Columns of the parsed relations, extracted from the raw lines by DuckDB's JSON functions. */
const PARSED = {
  metaData: {
    relation: 'cat_metadata',
    columns: {
      metadata_id: json('$.metaData.id'),
      name: json('$.metaData.name'),
      description: json('$.metaData.description'),
      format_provider: json('$.metaData.format.provider'),
      format_options: json('$.metaData.format.options'),
      schema_string: `coalesce(${json('$.metaData.schemaString')}, '${NO_SCHEMA}')`,
      partition_columns: `coalesce(${json('$.metaData.partitionColumns')}, '[]')`,
      configuration: `coalesce(${json('$.metaData.configuration')}, '{}')`,
      created_time: time('$.metaData.createdTime'),
    },
  },
  protocol: {
    relation: 'cat_protocols',
    columns: {
      min_reader_version: json('$.protocol.minReaderVersion'),
      min_writer_version: json('$.protocol.minWriterVersion'),
      reader_features: json('$.protocol.readerFeatures'),
      writer_features: json('$.protocol.writerFeatures'),
    },
  },
  txn: {
    relation: 'cat_txns',
    columns: {
      app_id: json('$.txn.appId'),
      txn_version: json('$.txn.version'),
      last_updated: time('$.txn.lastUpdated'),
    },
  },
  domainMetadata: {
    relation: 'cat_domains',
    columns: {
      domain: json('$.domainMetadata.domain'),
      configuration: `coalesce(${json('$.domainMetadata.configuration')}, '')`,
      removed: flag('$.domainMetadata.removed'),
    },
  },
} as const

export type ParsedKind = keyof typeof PARSED
export const PARSED_KINDS: readonly ParsedKind[] = ['metaData', 'protocol', 'txn', 'domainMetadata']
const JSON_COLUMNS: ReadonlySet<string> = new Set<(typeof METADATA_COLUMNS | typeof PROTOCOL_COLUMNS)[number]>([
  ...(['format_options', 'partition_columns', 'configuration'] as const),
  ...(['reader_features', 'writer_features'] as const),
])

const fieldsOf = (kind: ParsedKind): ComparedField[] =>
  Object.keys(PARSED[kind].columns).flatMap((name) =>
    sameFields([name], kind !== 'domainMetadata' && JSON_COLUMNS.has(name) ? 'values' : 'text'),
  )

/** SQL columns of a parsed relation, extracted from `raw`. */
export const rawColumns = (kind: ParsedKind): string =>
  Object.entries(PARSED[kind].columns)
    .map(([name, sql]) => `${sql} AS "${name}"`)
    .join(', ')

/** Compares all rows of a parsed relation, each with its line. */
export function compareParsed(kind: ParsedKind, { from, sameStart }: VersionRange): ValidateComparison {
  return {
    check: PARSED[kind].relation.slice(4),
    version: 'coalesce(l.version, TRY_CAST(c.version AS BIGINT))',
    path: "'line ' || coalesce(CAST(l.line AS VARCHAR), c.line, '?')",
    on: 'CAST(l.version AS VARCHAR) = c.version AND CAST(l.source AS VARCHAR) = c.source AND CAST(l.line AS VARCHAR) = c.line',
    log: `SELECT version, source, line, ${rawColumns(kind)}, 1 AS present FROM log_other
      WHERE kind = '${kind}' AND source IN (0, 1)${sameStart ? '' : ` AND version > ${from}`}`,
    catalog: `SELECT *, 1 AS present FROM ${PARSED[kind].relation}${sameStart ? '' : ` WHERE TRY_CAST(version AS BIGINT) > ${from}`}`,
    fields: fieldsOf(kind),
  }
}

/**
 * Compares the valid state at a version: one row of protocol and of metadata, and one row per key of the others.
 * @param onlyLogKeys true: compare only keys that the log has, because the log may have dropped other keys
 */
export function compareState(
  kind: ParsedKind,
  version: number,
  logState: string,
  check: string,
  onlyLogKeys: boolean,
): ValidateComparison {
  const key = { metaData: null, protocol: null, txn: 'app_id', domainMetadata: 'domain' }[kind]
  const catalog = `SELECT * FROM ${PARSED[kind].relation} WHERE TRY_CAST(version AS BIGINT) <= ${version}
    QUALIFY row_number() OVER (PARTITION BY ${key ?? '1'} ORDER BY TRY_CAST(version AS BIGINT) DESC, TRY_CAST(source AS BIGINT), TRY_CAST(line AS BIGINT) DESC) = 1`
  const log = `SELECT ${rawColumns(kind)}, 1 AS present FROM (${logState})`
  const inForce = [
    ...(kind === 'domainMetadata' ? [`removed = '0'`] : []),
    ...(onlyLogKeys && key !== null ? [`${key} IN (SELECT ${key} FROM (${log}))`] : []),
  ]
  return {
    check,
    version: `${version}`,
    path: key === null ? 'NULL' : `coalesce(l.${key}, c.${key})`,
    on: key === null ? 'l.present = c.present' : `l.${key} = c.${key}`,
    log,
    catalog: `SELECT *, 1 AS present FROM (${catalog}) WHERE ${['true', ...inForce].join(' AND ')}`,
    fields: fieldsOf(kind),
  }
}

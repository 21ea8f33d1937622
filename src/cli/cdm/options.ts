/** Options of a copy or a diff from properties of the Cassandra Data Migrator. */
import type { CassandraOptions, RingOptions, TrackOptions } from '../../engine/copy/operations/copy/option-types.ts'
import type { CopyOperation } from '../../engine/copy/operations/copy/declaration.ts'
import { given } from '../parse/arguments.ts'
import { cassandraUrl, isYsql, keyspaceTable, namesCluster, ysqlUrl } from './store-urls.ts'
import { codecsOf } from './codecs.ts'
import type { Property } from './properties-file.ts'
import { CdmSettings } from './settings.ts'

/** Fields with the same meaning as in `CopyOperation`. */
type SharedField =
  | ('toSchema' | 'toTable' | 'rename' | 'where' | 'rate' | 'batchRows')
  | ('ring' | 'constants' | 'explodeMap' | 'codecs' | 'cassandra' | 'track')

/** `from` and `to` are undefined if the properties name neither a cluster nor a table of that side. */
export type CdmOptions = Pick<CopyOperation, SharedField> &
  Partial<Pick<CopyOperation, 'from' | 'to'>> & {
    /** `keyspace.table`, as source tables are named. */
    readonly table?: string
    /** Differences that a diff repairs. */
    readonly correct: { readonly missing: boolean; readonly mismatch: boolean; readonly counters: boolean }
    /** Notes printed at the beginning of the run. */
    readonly notes: readonly string[]
  }

/**
 * @param properties if a key is repeated, the last property is used
 * @param ysql true if the Java class writes to YugabyteDB SQL
 * @throws SluiceError BAD_CONFIG with the property and its location
 */
export function cdmOptions(properties: readonly Property[], ysql: boolean): CdmOptions {
  const settings = new CdmSettings(properties)
  const origin = keyspaceTable(settings, 'origin')
  const target = keyspaceTable(settings, 'target') ?? origin
  const intoYsql = isYsql(settings, ysql)
  const rename = renames(settings)
  const codecs = codecsOf(settings)
  const stamps = writeTimeOptions(settings, (name) => rename[name] ?? name)
  const toUrl = intoYsql
    ? ysqlUrl(settings)
    : target !== null || namesCluster(settings, 'target')
      ? cassandraUrl(settings, 'target', target?.keyspace ?? '')
      : undefined
  const fromUrl =
    origin !== null || namesCluster(settings, 'origin')
      ? cassandraUrl(settings, 'origin', origin?.keyspace ?? '')
      : undefined
  const schema = intoYsql
    ? (settings.text('spark.cdm.connect.target.yugabyte.schema') ?? target?.keyspace)
    : target?.keyspace
  return {
    ...given('from', fromUrl),
    ...given('to', toUrl),
    ...given('table', origin === null ? undefined : `${origin.keyspace}.${origin.table}`),
    ...given('toSchema', schema),
    ...given('toTable', target?.table),
    rename,
    ...given('where', whereOf(settings)),
    ...given('rate', rateOf(settings)),
    ...given('batchRows', intoYsql ? settings.count('spark.cdm.connect.target.yugabyte.batchSize', 1) : undefined),
    ...given('ring', ringOf(settings)),
    ...given('constants', constantsOf(settings)),
    ...given('explodeMap', explodeMapOf(settings)),
    ...given('codecs', codecs.options),
    ...given('cassandra', notEmpty({ ...stamps, ...accessOf(settings) })),
    ...given('track', trackOf(settings)),
    correct: {
      missing: settings.flag('spark.cdm.autocorrect.missing') ?? false,
      mismatch: settings.flag('spark.cdm.autocorrect.mismatch') ?? false,
      counters: settings.flag('spark.cdm.autocorrect.missing.counter') ?? false,
    },
    notes: [...settings.notes, ...codecs.notes],
  }
}

function notEmpty<T extends object>(value: T): T | undefined {
  return Object.keys(value).length === 0 ? undefined : value
}

function renames(settings: CdmSettings): Readonly<Record<string, string>> {
  const key = 'spark.cdm.schema.origin.column.names.to.target'
  return Object.fromEntries(
    settings.list(key).map((pair) => {
      const [old, fresh, ...more] = pair.split(':').map((name) => name.trim())
      if (!old || !fresh || more.length > 0) throw settings.bad(key, 'is a list like old:new,other:name')
      return [old, fresh]
    }),
  )
}

/** The condition without the leading AND that the migrator expects. */
function whereOf(settings: CdmSettings): string | undefined {
  return settings.text('spark.cdm.filter.cassandra.whereCondition')?.replace(/^\s*AND\s+/i, '')
}

/** Every row is read once and written once, so the lower limit applies to both. */
function rateOf(settings: CdmSettings): number | undefined {
  const rates = ['origin', 'target'].flatMap((side) => settings.count(`spark.cdm.perfops.ratelimit.${side}`, 1) ?? [])
  return rates.length === 0 ? undefined : Math.min(...rates)
}

function ringOf(settings: CdmSettings): RingOptions | undefined {
  const percent = settings.text('spark.cdm.filter.java.token.percent')
  // As in the migrator, an invalid percentage means 100 %.
  const coverage =
    percent !== undefined && /^\d{1,2}$/.test(percent) && Number(percent) >= 1 ? Number(percent) : undefined
  return notEmpty({
    ...given('splits', settings.count('spark.cdm.perfops.numParts', 1, 1_000_000)),
    ...given('min', settings.whole('spark.cdm.filter.cassandra.partition.min')),
    ...given('max', settings.whole('spark.cdm.filter.cassandra.partition.max')),
    ...given('coverage', coverage),
  })
}

function constantsOf(settings: CdmSettings): Readonly<Record<string, string>> | undefined {
  const key = 'spark.cdm.feature.constantColumns'
  const names = settings.list(`${key}.names`)
  if (names.length === 0) return undefined
  const values = (settings.text(`${key}.values`) ?? '').split(separator(settings, `${key}.splitRegex`))
  if (values.length !== names.length)
    throw settings.bad(`${key}.values`, `has ${values.length} values for ${names.length} names`)
  return Object.fromEntries(names.map((name, at) => [name, unquotedLiteral(values[at] ?? '')]))
}

function separator(settings: CdmSettings, key: string): RegExp {
  try {
    return new RegExp(settings.text(key) ?? ',')
  } catch {
    throw settings.bad(key, 'is not a regular expression')
  }
}

/** A CQL string literal without its quotes: `'O''Brien'`. */
function unquotedLiteral(literal: string): string {
  const text = literal.trim()
  const quoted = /^'((?:[^']|'')*)'$/s.exec(text)
  return quoted?.[1]?.replaceAll("''", "'") ?? text
}

function explodeMapOf(settings: CdmSettings): CdmOptions['explodeMap'] {
  const at = 'spark.cdm.feature.explodeMap'
  const [column, key, value] = [`${at}.origin.name`, `${at}.target.name.key`, `${at}.target.name.value`].map((name) =>
    settings.text(name),
  )
  if (column === undefined && key === undefined && value === undefined) return undefined
  if (column !== undefined && key !== undefined && value !== undefined) return { column, key, value }
  throw settings.bad(`${at}.origin.name`, 'needs .target.name.key and .target.name.value: give all three')
}

/** By default, values keep the write times and TTLs that they have in the origin. */
function writeTimeOptions(settings: CdmSettings, fresh: (name: string) => string): CassandraOptions {
  const at = 'spark.cdm.schema.origin.column'
  const names = ['ttl', 'writetime'].filter((kind) => settings.text(`${at}.${kind}.names`) !== undefined)
  const off = ['ttl', 'writetime'].filter(
    (kind) => settings.flag(`${at}.${kind}.automatic`) === false && !names.includes(kind),
  )
  if (off.length === 1)
    throw settings.bad(
      `${at}.${off[0] ?? ''}.automatic`,
      'is false, but that of the other one is not',
      'set both to the same value: write times and TTLs can be kept only together',
    )
  const ttl = settings.count('spark.cdm.transform.custom.ttl', 0, 2 ** 31 - 1) ?? 0
  const writetime = settings.whole('spark.cdm.transform.custom.writetime') ?? '0'
  return {
    ...(ttl > 0 ? { ttl } : {}),
    ...(BigInt(writetime) > 0n ? { writetime } : {}),
    ...(off.length === 2 ? { dropStamps: true as const } : {}),
    ...(names.includes('writetime') ? { timesOf: settings.list(`${at}.writetime.names`).map(fresh) } : {}),
    ...(names.includes('ttl') ? { livesOf: settings.list(`${at}.ttl.names`).map(fresh) } : {}),
  }
}

function accessOf(settings: CdmSettings): CassandraOptions {
  return {
    ...given('readConsistency', settings.text('spark.cdm.perfops.consistency.read')?.toUpperCase()),
    ...given('writeConsistency', settings.text('spark.cdm.perfops.consistency.write')?.toUpperCase()),
    ...given('batchRows', settings.count('spark.cdm.perfops.batchSize', 1)),
    ...given('pageRows', settings.count('spark.cdm.perfops.fetchSizeInRows', 1)),
  }
}

function trackOf(settings: CdmSettings): TrackOptions | undefined {
  const number = (key: string): string | undefined => {
    const value = settings.text(key)
    // The migrator's sample file has a placeholder in angle brackets here.
    if (value === undefined || value === '0' || /^<.*>$/.test(value)) return undefined
    if (/^\d{1,19}$/.test(value)) return value
    throw settings.bad(key, 'takes the number of a run')
  }
  const runId = number('spark.cdm.trackRun.runId')
  const previous = number('spark.cdm.trackRun.previousRunId')
  const autoRerun = settings.flag('spark.cdm.trackRun.autoRerun') === true
  const asked = settings.flag('spark.cdm.trackRun') === true
  if (!asked && !autoRerun && runId === undefined && previous === undefined) return undefined
  return { ...given('runId', runId), ...given('previous', previous), ...(autoRerun ? { autoRerun } : {}) }
}

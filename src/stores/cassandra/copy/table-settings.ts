/**
 * Options of a table (compaction, compression, TTL …) as the cluster lists them, and which of them another release
 * accepts. All are in the spelling of current releases.
 */
import type { TableName } from '../../../model/copy/column-type.ts'
import { whileBusy } from '../busy.ts'
import type { CassandraLink } from '../connect.ts'
import { plainMap, textLiteral } from './names.ts'
import { isBefore } from './types.ts'

/** Values as CQL, by option name. */
export type TableSettings = Readonly<Record<string, string>>

type Texts = Readonly<Record<string, string>>
type Raw = Readonly<Record<string, unknown>>

const NUMBERS = [
  'bloom_filter_fp_chance',
  'crc_check_chance',
  'dclocal_read_repair_chance',
  'default_time_to_live',
  'gc_grace_seconds',
  'max_index_interval',
  'memtable_flush_period_in_ms',
  'min_index_interval',
  'read_repair_chance',
] as const
const TEXTS = ['additional_write_policy', 'comment', 'memtable', 'read_repair', 'speculative_retry'] as const
const FLAGS = ['allow_auto_snapshot', 'cdc', 'incremental_backups'] as const
const MAPS = ['caching', 'compaction', 'compression'] as const

/** First release that accepts an option. */
const SINCE: Readonly<Record<string, readonly [number, number]>> = {
  crc_check_chance: [3, 0],
  cdc: [3, 8],
  additional_write_policy: [4, 0],
  read_repair: [4, 0],
  memtable: [4, 1],
  allow_auto_snapshot: [5, 0],
  incremental_backups: [5, 0],
}
/** First release in which a write with TTL 0 never expires despite a default TTL of the table (CASSANDRA-11207). */
const NO_EXPIRY_SINCE: readonly [number, number] = [3, 6]
/** First release that no longer accepts an option. */
const UNTIL: Readonly<Record<string, readonly [number, number]>> = {
  read_repair_chance: [4, 0],
  dclocal_read_repair_chance: [4, 0],
}
/** Default values: nothing is lost if they are not copied. */
const DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  default_time_to_live: ['0'],
  crc_check_chance: ['1', '1.0'],
  read_repair_chance: ['0', '0.0'],
  dclocal_read_repair_chance: ['0', '0.0', '0.1'],
  additional_write_policy: ["'99p'"],
  read_repair: ["'BLOCKING'"],
  memtable: ["'default'"],
  cdc: ['false'],
  allow_auto_snapshot: ['true'],
  incremental_backups: ['true'],
}

/** @returns null if the table is gone, or is a view @throws errors of the driver */
export async function settingsOf(link: CassandraLink, { schema, name }: TableName): Promise<TableSettings | null> {
  const isOld = isBefore(link.release, 3, 0)
  const cql = isOld
    ? 'SELECT * FROM system.schema_columnfamilies WHERE keyspace_name = ? AND columnfamily_name = ?'
    : 'SELECT * FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?'
  // Level ONE is enough: each node has the whole schema.
  const parameters = [schema ?? link.settings.keyspace ?? '', name]
  const { rows } = await whileBusy(() => link.client.execute(cql, parameters, { prepare: true, consistency: 1 }), link)
  const [row] = rows
  if (row === undefined) return null
  const raw = Object.fromEntries(row.keys().map((key) => [key, row.get(key) as unknown]))
  return settingsIn(isOld ? withCurrentNames(raw) : raw)
}

function settingsIn(raw: Raw): TableSettings {
  const found: Record<string, string> = {}
  for (const name of NUMBERS) if (typeof raw[name] === 'number') found[name] = String(raw[name])
  for (const name of FLAGS) if (typeof raw[name] === 'boolean') found[name] = String(raw[name])
  for (const name of TEXTS) {
    const value = raw[name]
    if (typeof value === 'string' && value !== '') found[name] = textLiteral(value)
  }
  for (const name of MAPS) if (raw[name] != null) found[name] = mapLiteral(plainMap(raw[name]))
  return found
}

/** A row of a release before 3.0, with current names. */
function withCurrentNames(raw: Raw): Raw {
  const json = (name: string): Texts => {
    const text = raw[name]
    const parsed: unknown = typeof text === 'string' && text !== '' ? JSON.parse(text) : {}
    return parsed as Texts
  }
  const {
    sstable_compression: compressor,
    chunk_length_kb: chunk,
    crc_check_chance: crc,
    ...rest
  } = json('compression_parameters')
  const isCompressed = compressor !== undefined && compressor !== ''
  return {
    ...raw,
    dclocal_read_repair_chance: raw['local_read_repair_chance'],
    crc_check_chance: crc === undefined ? undefined : Number(crc),
    caching: json('caching'),
    compaction: { class: String(raw['compaction_strategy_class']), ...json('compaction_strategy_options') },
    compression: isCompressed
      ? { ...rest, ...(chunk === undefined ? {} : { chunk_length_in_kb: chunk }), class: compressor }
      : { enabled: 'false' },
  }
}

/**
 * Options that a release accepts; `left` names the others, if they differ from the default.
 * @param isYcql YugabyteDB, which has its own storage
 */
export function settingsFor(
  settings: TableSettings,
  release: string,
  isYcql: boolean,
): { readonly kept: TableSettings; readonly left: readonly string[] } {
  const takes = (name: string): boolean => {
    if (isYcql) return name === 'default_time_to_live'
    if (name === 'default_time_to_live' && settings[name] !== '0') return !isBefore(release, ...NO_EXPIRY_SINCE)
    const since = SINCE[name]
    const until = UNTIL[name]
    return (since === undefined || !isBefore(release, ...since)) && (until === undefined || isBefore(release, ...until))
  }
  const names = Object.keys(settings)
  return {
    kept: Object.fromEntries(Object.entries(settings).filter(([name]) => takes(name))),
    left: names.filter((name) => !takes(name) && DEFAULTS[name]?.includes(settings[name] ?? '') !== true),
  }
}

/** Default TTL in seconds, if a write of this release cannot set "no expiry"; otherwise 0. */
export function forcedTtl({ default_time_to_live: life = '0' }: TableSettings, release: string): number {
  return isBefore(release, ...NO_EXPIRY_SINCE) ? Number(life) : 0
}

/** One `name = value` each, in the release's spelling. */
export function settingTexts(settings: TableSettings, release: string): readonly string[] {
  const isOld = isBefore(release, 3, 0)
  return Object.entries(settings).map(([name, value]) => `${name} = ${isOld ? oldText(name, value) : value}`)
}

function oldText(name: string, value: string): string {
  // `99p` is the spelling since 4.0.
  if (name === 'speculative_retry') return value.replace(/^'(\d+(?:\.\d+)?)p'$/i, "'$1PERCENTILE'")
  if (name !== 'compression') return value
  if (/'enabled': 'false'/.test(value)) return "{'sstable_compression': ''}"
  return value.replace("'class':", "'sstable_compression':").replace("'chunk_length_in_kb':", "'chunk_length_kb':")
}

function mapLiteral(map: Texts): string {
  const pairs = Object.entries(map).map(([name, value]) => `${textLiteral(name)}: ${textLiteral(value)}`)
  return `{${pairs.toSorted().join(', ')}}`
}

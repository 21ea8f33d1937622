/** Keys of the Cassandra Data Migrator, of its YugabyteDB fork, and of older guides, with their treatment. */
import { closest } from '../../shared/closest.ts'

/**
 * `used`: honoured. `idle`: has no meaning here and is ignored. `refused`: an error with `hint`, unless the value is in
 * `harmless`.
 */
export type KeyTreatment =
  | { readonly is: 'used' }
  | { readonly is: 'idle' }
  | { readonly is: 'refused'; readonly harmless?: readonly string[]; readonly hint: string }

const used: KeyTreatment = { is: 'used' }
const idle: KeyTreatment = { is: 'idle' }
const refused = (hint: string, ...harmless: readonly string[]): KeyTreatment => ({ is: 'refused', hint, harmless })

const ASTRA = 'Astra is not supported: give hosts with spark.cdm.connect.*.host, or --from and --to'
const PEM =
  'give the certificate as PEM in --from or --to: cassandra://host/keyspace?sslmode=verify-full&sslrootcert=ca.pem'
const EXTRACT = 'copy the column unchanged, and read the values from its JSON in the target'
const COLUMN_FILTER = 'rows cannot be excluded by a value: select rows with --where, in CQL'
const WRITETIME_FILTER = 'rows cannot be filtered by write time; copy all of them: newer rows in the target stay'

function side(name: 'origin' | 'target'): Readonly<Record<string, KeyTreatment>> {
  const at = `spark.cdm.connect.${name}`
  return {
    [`${at}.host`]: used,
    [`${at}.port`]: used,
    [`${at}.username`]: used,
    [`${at}.password`]: used,
    [`${at}.local_dc`]: used,
    [`${at}.localDC`]: used,
    [`${at}.scb`]: refused(ASTRA),
    [`${at}.astra.database.id`]: refused(ASTRA),
    [`${at}.astra.scb.type`]: refused(ASTRA, 'default'),
    [`${at}.astra.scb.region`]: refused(ASTRA),
    [`${at}.astra.scb.custom.domain`]: refused(ASTRA),
    [`${at}.tls.enabled`]: used,
    [`${at}.tls.trustStore.path`]: used,
    [`${at}.tls.trustStore.type`]: used,
    [`${at}.tls.trustStore.password`]: idle,
    [`${at}.tls.keyStore.path`]: refused(PEM.replace('sslrootcert=ca.pem', 'sslcert=client.pem&sslkey=client.key')),
    [`${at}.tls.keyStore.password`]: idle,
    [`${at}.tls.enabledAlgorithms`]: idle,
    [`${at}.tls.isAstra`]: refused(ASTRA, 'false'),
  }
}

const YSQL = 'spark.cdm.connect.target.yugabyte'

const KNOWN: Readonly<Record<string, KeyTreatment>> = {
  ...side('origin'),
  ...side('target'),
  'spark.cdm.connect.target.type': used,
  [`${YSQL}.host`]: used,
  [`${YSQL}.port`]: used,
  [`${YSQL}.database`]: used,
  [`${YSQL}.username`]: used,
  [`${YSQL}.password`]: used,
  [`${YSQL}.schema`]: used,
  [`${YSQL}.ssl.enabled`]: used,
  [`${YSQL}.sslmode`]: used,
  [`${YSQL}.sslrootcert`]: used,
  [`${YSQL}.batchSize`]: used,
  ...Object.fromEntries(
    'pool.maxSize pool.minSize additionalEndpoints topologyKeys loadBalance rewriteBatchedInserts prepareThreshold socketTimeout tcpKeepAlive'
      .split(' ')
      .map((name) => [`${YSQL}.${name}`, idle]),
  ),
  'spark.cdm.schema.origin.keyspaceTable': used,
  'spark.cdm.schema.target.keyspaceTable': used,
  'spark.cdm.schema.origin.column.ttl.automatic': used,
  'spark.cdm.schema.origin.column.ttl.names': used,
  'spark.cdm.schema.origin.column.writetime.automatic': used,
  'spark.cdm.schema.origin.column.writetime.names': used,
  'spark.cdm.schema.ttlwritetime.calc.useCollections': idle,
  'spark.cdm.schema.origin.column.skip': refused('name the wanted columns with --columns'),
  'spark.cdm.schema.origin.column.names.to.target': used,
  'spark.cdm.autocorrect.missing': used,
  'spark.cdm.autocorrect.mismatch': used,
  'spark.cdm.autocorrect.missing.counter': used,
  'spark.cdm.trackRun': used,
  'spark.cdm.trackRun.runId': used,
  'spark.cdm.trackRun.previousRunId': used,
  'spark.cdm.trackRun.autoRerun': used,
  'spark.cdm.trackRun.rerunMultiplier': refused('remove this property: a failed range is halved automatically', '1'),
  'spark.cdm.perfops.numParts': used,
  'spark.cdm.perfops.batchSize': used,
  'spark.cdm.perfops.ratelimit.origin': used,
  'spark.cdm.perfops.ratelimit.target': used,
  'spark.cdm.perfops.consistency.read': used,
  'spark.cdm.perfops.consistency.write': used,
  'spark.cdm.perfops.fetchSizeInRows': used,
  'spark.cdm.perfops.errorLimit': idle,
  'spark.cdm.perfops.printStatsAfter': idle,
  'spark.cdm.perfops.printStatsPerPart': idle,
  'spark.cdm.tokenrange.partitionFile': refused('use --track-run with --prev-run-id to retry failed ranges'),
  'spark.cdm.transform.missing.key.ts.replace.value': refused(
    'a row without its key is quarantined; correct it at the source, or add the column with --constants',
  ),
  'spark.cdm.transform.custom.writetime': used,
  'spark.cdm.transform.custom.writetime.incrementBy': refused(
    'remove this property: lists are written completely and never twice',
    '0',
  ),
  'spark.cdm.transform.custom.ttl': used,
  'spark.cdm.transform.codecs': used,
  'spark.cdm.transform.codecs.timestamp.string.format': used,
  'spark.cdm.transform.codecs.timestamp.string.zone': used,
  // Cassandra cannot store a null in a map, so there is none to remove.
  'spark.cdm.transform.map.remove.null.value': idle,
  'spark.cdm.filter.cassandra.partition.min': used,
  'spark.cdm.filter.cassandra.partition.max': used,
  'spark.cdm.filter.cassandra.whereCondition': used,
  'spark.cdm.filter.java.token.percent': used,
  'spark.cdm.filter.java.writetime.min': refused(WRITETIME_FILTER),
  'spark.cdm.filter.java.writetime.max': refused(WRITETIME_FILTER),
  'spark.cdm.filter.java.column.name': refused(COLUMN_FILTER),
  'spark.cdm.filter.java.column.value': refused(COLUMN_FILTER),
  'spark.cdm.feature.constantColumns.names': used,
  'spark.cdm.feature.constantColumns.types': idle,
  'spark.cdm.feature.constantColumns.values': used,
  'spark.cdm.feature.constantColumns.splitRegex': used,
  'spark.cdm.feature.explodeMap.origin.name': used,
  'spark.cdm.feature.explodeMap.target.name.key': used,
  'spark.cdm.feature.explodeMap.target.name.value': used,
  'spark.cdm.feature.extractJson.exclusive': refused(EXTRACT, 'false'),
  'spark.cdm.feature.extractJson.originColumn': refused(EXTRACT),
  'spark.cdm.feature.extractJson.propertyMapping': refused(EXTRACT),
  'spark.cdm.feature.extractJson.overwrite': refused(EXTRACT, 'false'),
  'spark.cdm.feature.guardrail.colSizeInKB': refused(
    'remove this property, or set it to 0: a row that is too large for the target is quarantined automatically',
    '0',
  ),
}

/** Names in older guides, with the current keys. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  'spark.cdm.prevRunId': 'spark.cdm.trackRun.previousRunId',
  'spark.cdm.runId': 'spark.cdm.trackRun.runId',
  'spark.cdm.autoRerun': 'spark.cdm.trackRun.autoRerun',
}

/** The current name of a key. */
export function currentName(key: string): string {
  return OTHER_NAMES[key] ?? key
}

/** Keys that have an effect. @internal for tests */
export function usedKeys(): readonly string[] {
  return Object.keys(KNOWN).filter((key) => KNOWN[key]?.is === 'used')
}

/** @returns null for an unknown key */
export function knownKey(key: string): KeyTreatment | null {
  return Object.hasOwn(KNOWN, key) ? (KNOWN[key] ?? null) : null
}

/** The most similar key, or null. */
export function nearestKey(key: string): string | null {
  const keys = Object.keys(KNOWN)
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[._-]/g, '')
  const same = keys.find((known) => plain(known) === plain(key))
  if (same !== undefined) return same
  const short = (text: string): string => text.replace(/^spark\.cdm\./, '')
  const meant = closest(
    short(key).toLowerCase(),
    keys.map((known) => short(known).toLowerCase()),
  )
  return keys.find((known) => short(known).toLowerCase() === meant) ?? null
}

/** True for a key of Spark itself, not of the migrator. */
export function isSparkKey(key: string): boolean {
  return key.startsWith('spark.') && !key.startsWith('spark.cdm.')
}

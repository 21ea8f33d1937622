/** URLs of source and target from properties of the Cassandra Data Migrator. */
import { SluiceError } from '../../shared/errors.ts'
import type { CdmSettings } from './settings.ts'

export type CdmTable = { readonly keyspace: string; readonly table: string }

const YSQL = 'spark.cdm.connect.target.yugabyte'

/**
 * Parses `keyspace.table`, whose names may be quoted as in CQL; null if it is not set. @throws SluiceError BAD_CONFIG
 */
export function keyspaceTable(settings: CdmSettings, side: 'origin' | 'target'): CdmTable | null {
  const key = `spark.cdm.schema.${side}.keyspaceTable`
  const value = settings.text(key)
  if (value === undefined) return null
  const found = /^(?:"((?:[^"]|"")+)"|([^".]+))\.(?:"((?:[^"]|"")+)"|([^".]+))$/.exec(value)
  const keyspace = found?.[1]?.replaceAll('""', '"') ?? found?.[2]?.trim()
  const table = found?.[3]?.replaceAll('""', '"') ?? found?.[4]?.trim()
  if (keyspace === undefined || table === undefined) throw settings.bad(key, 'is written as keyspace.table')
  return { keyspace, table }
}

/** True if the target is YugabyteDB SQL. @param byClass true if the Java class writes to YugabyteDB SQL */
export function isYsql(settings: CdmSettings, byClass: boolean): boolean {
  const type = settings.text('spark.cdm.connect.target.type')?.toLowerCase()
  if (type !== undefined && type !== 'cassandra' && type !== 'yugabyte')
    throw settings.bad('spark.cdm.connect.target.type', 'takes cassandra or yugabyte')
  return byClass || type === 'yugabyte' || (type === undefined && settings.text(`${YSQL}.host`) !== undefined)
}

/** True if the properties name a cluster; otherwise the local cluster is used. */
export function namesCluster(settings: CdmSettings, side: 'origin' | 'target'): boolean {
  return ['host', 'port', 'username'].some((name) => settings.text(`spark.cdm.connect.${side}.${name}`) !== undefined)
}

/** URL of a Cassandra cluster, with the defaults of the migrator. @throws SluiceError BAD_CONFIG */
export function cassandraUrl(settings: CdmSettings, side: 'origin' | 'target', keyspace: string): string {
  const at = `spark.cdm.connect.${side}`
  const port = settings.count(`${at}.port`, 1, 65_535) ?? 9042
  const names = settings.list(`${at}.host`).filter((name) => name !== '')
  const hosts = (names.length === 0 ? ['localhost'] : names).map((host) => withPort(host, port))
  const user = settings.text(`${at}.username`) ?? 'cassandra'
  const password = settings.text(`${at}.password`) ?? 'cassandra'
  const datacenter = settings.text(`${at}.local_dc`) ?? settings.text(`${at}.localDC`)
  const parameters = [
    ...(datacenter === undefined ? [] : [`dc=${encodeURIComponent(datacenter)}`]),
    ...tlsParameters(settings, at),
  ]
  return `cassandra://${login(user, password)}${hosts.join(',')}/${encodeURIComponent(keyspace)}${query(parameters)}`
}

/** URL of YugabyteDB SQL, with the defaults of the YugabyteDB fork. @throws SluiceError BAD_CONFIG */
export function ysqlUrl(settings: CdmSettings): string {
  const host = settings.text(`${YSQL}.host`) ?? 'localhost'
  const port = settings.count(`${YSQL}.port`, 1, 65_535) ?? 5433
  const user = settings.text(`${YSQL}.username`) ?? 'yugabyte'
  const password = settings.text(`${YSQL}.password`) ?? 'yugabyte'
  const database = settings.text(`${YSQL}.database`) ?? 'yugabyte'
  const mode =
    settings.text(`${YSQL}.sslmode`) ?? (settings.flag(`${YSQL}.ssl.enabled`) === true ? 'require' : undefined)
  const root = settings.text(`${YSQL}.sslrootcert`)
  const parameters = [
    ...(mode === undefined ? [] : [`sslmode=${encodeURIComponent(mode)}`]),
    ...(root === undefined ? [] : [`sslrootcert=${encodeURIComponent(root)}`]),
  ]
  return `postgresql://${login(user, password)}${withPort(host, port)}/${encodeURIComponent(database)}${query(parameters)}`
}

function tlsParameters(settings: CdmSettings, at: string): readonly string[] {
  const key = `${at}.tls.trustStore.path`
  const path = settings.text(key)
  const type = settings.text(`${at}.tls.trustStore.type`)?.toUpperCase()
  if (settings.flag(`${at}.tls.enabled`) !== true) return []
  if (path === undefined) return ['sslmode=verify-full']
  if (type === 'PEM' || /\.(?:pem|crt|cer)$/i.test(path))
    return ['sslmode=verify-full', `sslrootcert=${encodeURIComponent(path)}`]
  throw new SluiceError('BAD_CONFIG', `${key} names a Java key store, and sluice cannot read that format`, {
    where: settings.where(key),
    hint: `write its certificate as PEM (keytool -exportcert -rfc -keystore ${path} -file ca.pem), and name that file`,
  })
}

function withPort(host: string, port: number): string {
  const isV6 = !host.startsWith('[') && host.split(':').length > 2
  const name = isV6 ? `[${host}]` : host
  return /:\d+$/.test(isV6 ? '' : name.replace(/^\[.*\]/, '')) ? name : `${name}:${port}`
}

function login(user: string, password: string): string {
  return `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`
}

function query(parameters: readonly string[]): string {
  return parameters.length === 0 ? '' : `?${parameters.join('&')}`
}

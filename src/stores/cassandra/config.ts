/** Parses and checks a `cassandra://` or `ycql://` URL; user and password may come from the environment. */
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl, secretsOfUrl } from '../../shared/redact.ts'
import { isLocalHost, tlsModeOf, tlsPlan, type PemFile, type TlsMode, type TlsPlan } from '../common/tls.ts'
import { consistencyOf } from './consistency.ts'

export type CassandraEnvironment = Readonly<Record<string, string | undefined>>

export type CassandraSettings = {
  /** URL without password, for messages. */
  readonly label: string
  /** Texts that no message may contain. */
  readonly secrets: readonly string[]
  /** Names or addresses in the URL, without ports; at least one. */
  readonly hosts: readonly string[]
  /** The hosts with their ports, as the driver takes them. */
  readonly contactPoints: readonly string[]
  /** Port of the first host; used for all nodes that the cluster reports. */
  readonly port: number
  readonly keyspace: string | null
  readonly user: string | null
  readonly password: string | null
  /** Null: the datacenter of the node that answers first. */
  readonly datacenter: string | null
  /** Name of the consistency level, for example LOCAL_QUORUM; null for the default. */
  readonly consistency: string | null
  /** SERIAL or LOCAL_SERIAL; null for the default. */
  readonly serialConsistency: string | null
  readonly tls: TlsPlan
  readonly connectTimeoutMs: number
  /** How long to wait for the reply to one request. */
  readonly requestTimeoutMs: number
  /** How long work is retried after transient errors. */
  readonly retryMs: number
  /** Connections to each node. */
  readonly poolSize: number
  /** Rows per page. */
  readonly pageRows: number
  /** Maximum number of rows per page that a guardrail of the cluster allows this user; absent if there is none. */
  readonly mostPageRows?: number
  /** Period of commit log syncs, for nodes that do not report it. 0: nodes sync before they reply. Null: default. */
  readonly syncPeriodMs: number | null
  /** True if the URL begins with `ycql://`: YugabyteDB, which distributes rows by `partition_hash`. */
  readonly ycql: boolean
}

const DEFAULTS = { connect_timeout: 10, request_timeout: 30, retry_seconds: 60, pool_size: 2, page_rows: 1000 } as const
const SYNC = 'commitlog_sync_period'
const TEXTS = 'dc localDataCenter consistency serial_consistency sslmode sslrootcert sslcert sslkey tls'.split(' ')
const KNOWN: readonly string[] = [...TEXTS, ...Object.keys(DEFAULTS), SYNC]
/** Values of `tls`, a short form of `sslmode`. */
const TLS_WORDS: Readonly<Record<string, TlsMode>> = {
  true: 'verify-full',
  on: 'verify-full',
  false: 'disable',
  off: 'disable',
  insecure: 'require',
}
const SHAPE = 'write cassandra://user:password@host1:9042,host2/keyspace, with %40 for @ and %2F for / in a password'

/**
 * @param environment CASSANDRA_USER and CASSANDRA_PASSWORD fill in what the URL leaves out
 * @throws SluiceError BAD_CONFIG that names the parameter
 */
export function cassandraSettings(url: string, environment: CassandraEnvironment = process.env): CassandraSettings {
  const label = redactUrl(url)
  const parts = splitUrl(url, label)
  const { parameters } = parts
  const password = parts.password ?? (environment['CASSANDRA_PASSWORD'] || null)
  const user = parts.user ?? (environment['CASSANDRA_USER'] || null)
  if (user === null && parts.password !== null) throw bad('the URL has a password but no user', label, SHAPE)
  if (user !== null && password === null) {
    const hint = `write ${user}:PASSWORD@ or set CASSANDRA_PASSWORD`
    throw bad(`there is no password for user ${user}`, label, hint)
  }
  const contactPoints = parts.hosts.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`)
  const hosts = parts.hosts.map(({ host }) => host)
  return {
    label,
    secrets: [...new Set([...secretsOfUrl(url), ...(password === null ? [] : [password])])],
    hosts,
    contactPoints,
    port: parts.hosts[0]?.port ?? 9042,
    keyspace: parts.keyspace === '' ? null : parts.keyspace,
    user,
    password: user === null ? null : password,
    datacenter: parameters.get('dc') || parameters.get('localDataCenter') || null,
    consistency: levelOf(parameters, 'consistency', label),
    serialConsistency: levelOf(parameters, 'serial_consistency', label),
    tls: tlsOf(parameters, hosts, label),
    connectTimeoutMs: whole(parameters, 'connect_timeout', label, 1, 3600) * 1000,
    requestTimeoutMs: whole(parameters, 'request_timeout', label, 1, 86_400) * 1000,
    retryMs: whole(parameters, 'retry_seconds', label, 0, 86_400) * 1000,
    poolSize: whole(parameters, 'pool_size', label, 1, 64),
    pageRows: whole(parameters, 'page_rows', label, 1, 100_000),
    syncPeriodMs: parameters.has(SYNC) ? whole(parameters, SYNC, label, 0, 3600) * 1000 : null,
    ycql: parts.ycql,
  }
}

function levelOf(parameters: ReadonlyMap<string, string>, name: string, label: string): string | null {
  const word = parameters.get(name)
  if (word === undefined) return null
  const level = consistencyOf(word, { where: label, parameter: name })
  const isSerial = level.name.endsWith('SERIAL')
  if (name === 'serial_consistency' && !isSerial)
    throw bad(`${name}=${word} is not valid`, label, 'SERIAL or LOCAL_SERIAL')
  if (name === 'consistency' && isSerial) {
    throw bad(`${name}=${word} is not valid`, label, 'give serial levels as serial_consistency')
  }
  return level.name
}

function tlsOf(parameters: ReadonlyMap<string, string>, hosts: readonly string[], label: string): TlsPlan {
  const short = parameters.get('tls')
  const word = parameters.get('sslmode')
  if (short !== undefined && word !== undefined)
    throw bad('the URL has both tls and sslmode', label, 'give only one of them')
  const pem = (parameter: 'sslrootcert' | 'sslcert' | 'sslkey'): PemFile | undefined => {
    const path = parameters.get(parameter)
    return path === undefined ? undefined : { path, parameter }
  }
  const mode = short === undefined ? word : (TLS_WORDS[short.toLowerCase()] ?? short)
  return tlsPlan({
    mode: mode === undefined ? undefined : tlsModeOf(mode, short === undefined ? 'sslmode' : 'tls'),
    ca: pem('sslrootcert'),
    cert: pem('sslcert'),
    key: pem('sslkey'),
    host: hosts[0] ?? '',
    isLocal: hosts.every((host) => isLocalHost(host)),
  })
}

function whole(
  parameters: ReadonlyMap<string, string>,
  name: keyof typeof DEFAULTS | typeof SYNC,
  label: string,
  least: number,
  most: number,
): number {
  const text = parameters.get(name) ?? (name === SYNC ? '' : String(DEFAULTS[name]))
  if (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text)
  throw bad(`${name}=${text} is not valid`, label, `write a whole number from ${least} to ${most}`)
}

type UrlParts = {
  readonly ycql: boolean
  readonly user: string | null
  readonly password: string | null
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly keyspace: string
  readonly parameters: ReadonlyMap<string, string>
}

/** Splits a URL by the same rules as `redactUrl`: messages hide exactly the text that is used as the password. */
function splitUrl(url: string, label: string): UrlParts {
  const match = /^(cassandra|ycql):\/\/([^?#]*)(?:\?([^#]*))?$/i.exec(url)
  if (match === null) throw bad('this is not a URL of a Cassandra cluster', label, SHAPE)
  const [, scheme = '', path = '', query = ''] = match
  const slash = path.indexOf('/')
  let at = (slash === -1 ? path : path.slice(0, slash)).lastIndexOf('@')
  if ((path.split('/', 1)[0]?.split('@', 1)[0] ?? '').includes(':')) at = Math.max(at, path.lastIndexOf('@'))
  const login = at === -1 ? '' : path.slice(0, at)
  const colon = login.indexOf(':')
  const rest = path.slice(at + 1)
  const end = rest.indexOf('/')
  const addresses = (end === -1 ? rest : rest.slice(0, end)).split(',')
  const keyspace = decode(end === -1 ? '' : rest.slice(end + 1), label)
  if (keyspace.includes('/')) throw bad('the URL names more than a keyspace', label, SHAPE)
  return {
    ycql: scheme.toLowerCase() === 'ycql',
    user: login === '' ? null : decode(colon === -1 ? login : login.slice(0, colon), label) || null,
    password: colon === -1 ? null : decode(login.slice(colon + 1), label),
    hosts: addresses.map((address) => hostOf(address, label)),
    keyspace,
    parameters: parametersOf(query, label),
  }
}

function hostOf(address: string, label: string): { readonly host: string; readonly port: number } {
  const [, written = '', portText = '9042'] = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d+))?$/.exec(address.trim()) ?? []
  const host = decode(written.replace(/^\[(.*)\]$/, '$1'), label)
  const port = Number(portText)
  if (host === '' || port < 1 || port > 65_535) throw bad('a host of the URL cannot be read', label, SHAPE)
  return { host, port }
}

function parametersOf(query: string, label: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  for (const pair of query.split('&').filter((text) => text !== '')) {
    const equals = pair.indexOf('=')
    const name = decode(equals === -1 ? pair : pair.slice(0, equals), label)
    if (!KNOWN.includes(name)) {
      throw bad(`the URL has an unknown parameter: ${name}`, label, `use only ${KNOWN.join(', ')}`)
    }
    parameters.set(name, equals === -1 ? '' : decode(pair.slice(equals + 1), label))
  }
  return parameters
}

function decode(text: string, label: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw bad('a % in the URL is not followed by two hexadecimal digits', label, 'write % as %25')
  }
}

function bad(message: string, where: string, hint: string): SluiceError {
  return new SluiceError('BAD_CONFIG', message, { where, hint })
}

/**
 * Settings from a PostgreSQL URL, then libpq's service file, environment and password file, in this order. The
 * password file is read here because the driver would print a warning at every start.
 */
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'
import { SluiceError } from '../../../shared/errors.ts'
import { redactUrl, secretsOfUrl } from '../../../shared/redact.ts'
import type { Route } from '../../../model/run/route.ts'
import { optionFileText, sectionOf, isOpenToOthers } from '../../common/option-file.ts'
import { isLocalHost, tlsModeOf, tlsPlan, type TlsPlan } from '../../common/tls.ts'
import { statSync } from 'node:fs'

export type PostgresSettings = {
  /** URL without password, for messages. */
  readonly label: string
  /** Texts that no message may contain; grows with each password that `password` reads. */
  readonly secrets: readonly string[]
  /** Name, address, or folder of the server's socket file. */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /**
   * Password from the URL, the service file, the environment or the password file; null without one. It is read again
   * at each call, because it may change while a program runs for days.
   */
  password(): string | null
  /** Path of a password file that is ignored, because other users may read it. */
  readonly ignoredPasswordFile: string | null
  readonly tls: TlsPlan
  readonly applicationName: string
  /** First schema for every unqualified name. */
  readonly schema: string | null
  /** Maximum number of connections of each kind: for statements, and for write transactions. */
  readonly poolSize: number
  readonly statementTimeoutMs: number | null
  /** Longest lock wait of sessions of a copy, ms; absent: the server's setting. */
  readonly lockWaitMs?: number | undefined
  /** The server ends a transaction that is idle for this long, ms; absent: never. */
  readonly frozenMs?: number | undefined
  /** True: a confirmed commit is on disk, whatever `synchronous_commit` the role and the database have. */
  readonly isDurable?: boolean | undefined
  readonly connectTimeoutMs: number
  /** How long work is retried after a transient failure, ms. */
  readonly retryMs: number
  /**
   * Silence of the server during a statement, ms, after which sluice checks if the server still works on it. If it does
   * not, the connection is closed.
   */
  readonly responseTimeoutMs: number
  /** True: repeated statements are prepared by name. Poolers that share sessions do not support this. */
  readonly prepare: boolean
  /** Route to the server, if it is not direct. */
  readonly route?: Route | undefined
}

/** Parameters of libpq; a service may have them, too. */
const OF_LIBPQ =
  'host port user password dbname sslmode sslrootcert sslcert sslkey connect_timeout application_name'.split(' ')
const PARAMETERS = [
  ...OF_LIBPQ,
  ...'service schema pool_size statement_timeout retry_seconds response_timeout prepare'.split(' '),
]

/** @throws SluiceError BAD_CONFIG for an unknown parameter, or an invalid value */
export function postgresSettings(url: string, environment: PostgresEnvironment = process.env): PostgresSettings {
  const label = redactUrl(url)
  const parts = splitUrl(url, label)
  const service = serviceOf(parts, environment, label)
  const first = service()
  const parameter = (name: string, variable?: string): string | undefined =>
    parts.parameters.get(name) ??
    first.get(name) ??
    (variable === undefined ? undefined : environment[variable] || undefined)
  const number = (name: string, least: number, fallback: number, variable?: string): number => {
    const text = parameter(name, variable)
    if (text === undefined) return fallback
    if (/^\d{1,9}(?:\.\d{1,3})?$/.test(text) && Number(text) >= least) return Number(text)
    throw new SluiceError('BAD_CONFIG', `${name}=${text} must be a number of at least ${least}`, { where: label })
  }
  const end = (name: 'host' | 'port' | 'user' | 'dbname', inUrl: string, variable: string): string =>
    parts.parameters.get(name) ?? (inUrl || first.get(name) || environment[variable] || '')
  const host = end('host', parts.host, 'PGHOST') || 'localhost'
  if (host.includes(',')) {
    throw new SluiceError('BAD_CONFIG', 'more than one host is given', {
      where: label,
      hint: 'name only the primary server',
    })
  }
  const port = Number(end('port', parts.port, 'PGPORT') || '5432')
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new SluiceError('BAD_CONFIG', 'the port must be a number from 1 to 65535', { where: label })
  }
  const user = end('user', parts.user, 'PGUSER') || userInfo().username
  const database = end('dbname', parts.database, 'PGDATABASE') || user
  const inUrl = parts.parameters.get('password') || parts.password
  const secrets = [...secretsOfUrl(url)]
  const password = (): string | null => {
    const given = inUrl || service().get('password') || environment['PGPASSWORD']
    const found = given || passwordFromFile({ host, port, user, database }, environment) || null
    if (found !== null && !secrets.includes(found)) secrets.push(found)
    return found
  }
  const hasPassword = password() !== null
  const prepare = parameter('prepare') ?? 'on'
  if (prepare !== 'on' && prepare !== 'off') {
    throw new SluiceError('BAD_CONFIG', `prepare=${prepare} is not known`, {
      where: label,
      hint: 'write prepare=on or prepare=off',
    })
  }
  const statementTimeout = number('statement_timeout', 0, 0)
  return {
    label,
    secrets,
    host,
    port,
    user,
    database,
    password,
    ignoredPasswordFile: hasPassword ? null : ignoredPasswordFile(environment),
    tls: tlsOf(host, parameter),
    applicationName: parameter('application_name', 'PGAPPNAME') ?? 'sluice',
    schema: parameter('schema') || null,
    poolSize: Math.floor(number('pool_size', 1, 4)),
    statementTimeoutMs: statementTimeout === 0 ? null : statementTimeout,
    connectTimeoutMs: (number('connect_timeout', 0, 10, 'PGCONNECT_TIMEOUT') || 10) * 1000,
    retryMs: number('retry_seconds', 0, 60) * 1000,
    responseTimeoutMs: number('response_timeout', 0.1, 300) * 1000,
    prepare: prepare === 'on',
  }
}

/**
 * Returns a function that reads the settings of the service in the URL or in PGSERVICE. If neither names a service, the
 * function returns no settings. Settings that sluice does not support are refused: without them the connection could be
 * a different one.
 * @throws SluiceError BAD_CONFIG
 */
function serviceOf(
  { parameters }: UrlParts,
  environment: PostgresEnvironment,
  label: string,
): () => ReadonlyMap<string, string> {
  const name = parameters.get('service') ?? environment['PGSERVICE']
  if (name === undefined || name === '') return () => new Map()
  return () => {
    const found = serviceSettings(name, environment, label)
    const unknown = [...found.keys()].find((one) => !OF_LIBPQ.includes(one))
    if (unknown === undefined) return found
    throw new SluiceError('BAD_CONFIG', `the service ${name} has ${unknown}, which sluice does not know`, {
      where: label,
      hint: `use only ${OF_LIBPQ.join(', ')}`,
    })
  }
}

/**
 * Settings of a service as in libpq, from PGSERVICEFILE or `~/.pg_service.conf`, then from `pg_service.conf` in
 * PGSYSCONFDIR. The files are read at each call. Source: PostgreSQL's manual, "The Connection Service File".
 * @throws SluiceError BAD_CONFIG if no file has the service
 */
function serviceSettings(
  service: string,
  environment: PostgresEnvironment,
  where: string,
): ReadonlyMap<string, string> {
  const own = environment['PGSERVICEFILE'] || join(environment['HOME'] || homedir(), '.pg_service.conf')
  const files = [own, ...(environment['PGSYSCONFDIR'] ? [join(environment['PGSYSCONFDIR'], 'pg_service.conf')] : [])]
  for (const file of files) {
    const found = sectionOf(optionFileText(file) ?? '', service)
    if (found !== null) return found
  }
  throw new SluiceError('BAD_CONFIG', `there is no service ${service} in ${files.join(' or ')}`, {
    where,
    hint: 'correct service= of the URL or PGSERVICE; PGSERVICEFILE names another file',
  })
}

function tlsOf(host: string, parameter: (name: string, variable: string) => string | undefined): TlsPlan {
  const word = parameter('sslmode', 'PGSSLMODE')
  const root = parameter('sslrootcert', 'PGSSLROOTCERT')
  const cert = parameter('sslcert', 'PGSSLCERT')
  const key = parameter('sslkey', 'PGSSLKEY')
  // No server encrypts a socket file, whatever is requested; libpq uses plain text there, too.
  if (host.startsWith('/')) return tlsPlan({ mode: 'disable', host, isLocal: true })
  // As in libpq: certificates of public CAs are worthless unless the host name is compared, too.
  const mode = word === undefined ? (root === 'system' ? 'verify-full' : undefined) : tlsModeOf(word)
  return tlsPlan({
    mode,
    ca: root === undefined || root === 'system' ? undefined : { path: root, parameter: 'sslrootcert' },
    cert: cert === undefined ? undefined : { path: cert, parameter: 'sslcert' },
    key: key === undefined ? undefined : { path: key, parameter: 'sslkey' },
    host,
    isLocal: isLocalHost(host),
  })
}

type UrlParts = {
  readonly user: string
  readonly password: string | undefined
  readonly host: string
  readonly port: string
  readonly database: string
  readonly parameters: ReadonlyMap<string, string>
}

const FORM = 'write it as postgresql://user:password@host:5432/database'

/** Splits a URL in the same way as `redactUrl`, so that messages hide exactly the text that is used as password. */
function splitUrl(url: string, label: string): UrlParts {
  const match = /^postgres(?:ql)?:\/\/([^?#]*)(?:\?([^#]*))?/i.exec(url)
  if (match === null) {
    throw new SluiceError('BAD_CONFIG', 'this is not a PostgreSQL URL', {
      where: label,
      hint: FORM,
    })
  }
  const [, path = '', query = ''] = match
  const decode = (text: string): string => {
    try {
      return decodeURIComponent(text)
    } catch (error) {
      throw new SluiceError('BAD_CONFIG', 'a % in the URL is not followed by two hexadecimal digits', {
        where: label,
        hint: 'write % as %25',
        cause: error,
      })
    }
  }
  const slash = path.indexOf('/')
  let at = (slash === -1 ? path : path.slice(0, slash)).lastIndexOf('@')
  if ((path.split('/', 1)[0]?.split('@', 1)[0] ?? '').includes(':')) at = path.lastIndexOf('@')
  const userInfoText = at === -1 ? '' : path.slice(0, at)
  const colon = userInfoText.indexOf(':')
  const rest = path.slice(at + 1)
  const end = rest.indexOf('/')
  const address = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(end === -1 ? rest : rest.slice(0, end))
  if (address === null)
    throw new SluiceError('BAD_CONFIG', 'the host of the URL cannot be read', { where: label, hint: FORM })
  const parameters = new Map<string, string>()
  for (const pair of query.split('&').filter((text) => text !== '')) {
    const equals = pair.indexOf('=')
    const name = decode(equals === -1 ? pair : pair.slice(0, equals))
    if (!PARAMETERS.includes(name)) {
      throw new SluiceError('BAD_CONFIG', `the URL has an unknown parameter: ${name}`, {
        where: label,
        hint: `use only ${PARAMETERS.join(', ')}`,
      })
    }
    parameters.set(name, equals === -1 ? '' : decode(pair.slice(equals + 1)))
  }
  return {
    user: decode(colon === -1 ? userInfoText : userInfoText.slice(0, colon)),
    password: colon === -1 ? undefined : decode(userInfoText.slice(colon + 1)),
    host: decode((address[1] ?? '').replace(/^\[(.*)\]$/, '$1')),
    port: address[2] ?? '',
    database: end === -1 ? '' : decode(rest.slice(end + 1)),
    parameters,
  }
}

export type PostgresEnvironment = Readonly<Record<string, string | undefined>>

type Server = {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
}

function fileOf(environment: PostgresEnvironment): string {
  return environment['PGPASSFILE'] || join(environment['HOME'] || homedir(), '.pgpass')
}

/** Path of a password file that exists and is ignored, because other users may read it. */
function ignoredPasswordFile(environment: PostgresEnvironment): string | null {
  const file = fileOf(environment)
  try {
    return isOpenToOthers(statSync(file)) ? file : null
  } catch {
    return null
  }
}

/** Password of the first matching line; undefined without one, or if other users may read the file, as in libpq. */
function passwordFromFile(server: Server, environment: PostgresEnvironment): string | undefined {
  const text = optionFileText(fileOf(environment), isOpenToOthers)
  if (text === null) return undefined
  // The password file lists local servers as localhost, also servers with a socket file.
  const hosts = server.host.startsWith('/') ? [server.host, 'localhost'] : [server.host]
  const wanted = [hosts, [String(server.port)], [server.database], [server.user]]
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue
    const fields = fieldsOf(line)
    if (fields.length < 5) continue
    if (wanted.every((values, i) => fields[i] === '*' || values.includes(fields[i] ?? ''))) return fields[4]
  }
  return undefined
}

/** Fields between colons; a backslash escapes the next character. */
function fieldsOf(line: string): string[] {
  const fields = ['']
  for (let i = 0; i < line.length; i++) {
    if (line[i] === ':' && fields.length < 5) {
      fields.push('')
      continue
    }
    if (line[i] === '\\' && i + 1 < line.length) i++
    fields[fields.length - 1] += line[i] ?? ''
  }
  return fields
}

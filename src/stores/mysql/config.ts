/** Parses and validates the URL of a MySQL server. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { SluiceError } from '../../shared/errors.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { Route } from '../../model/run/route.ts'
import { optionFileText, isOpenToOthers, sectionOf } from '../common/option-file.ts'
import { isLocalHost, TLS_MODES, tlsPlan, type PemFile, type TlsMode, type TlsPlan } from '../common/tls.ts'

export type MysqlConfig = {
  /** URL without password. */
  readonly label: string
  readonly host: string
  readonly port: number
  /** Path of a socket file; then host and port are not used. */
  readonly socket: string | null
  readonly user: string
  /**
   * Returns the password from the URL, MYSQL_PWD or the option file. It is read at each call, because passwords change
   * while a program runs for days.
   */
  password(): string
  readonly database: string
  readonly tls: TlsPlan
  readonly connectMs: number
  /** Silence in ms after which another connection checks whether the server still works on the statement. */
  readonly responseMs: number
  /** How long a transaction is repeated after its first failure, in milliseconds. */
  readonly retryMs: number
  readonly poolSize: number
  /** Lock timeout, ms, of reading sessions of a copy; absent: the server's own. */
  readonly lockWaitMs?: number | undefined
  /** The server ends a transaction that is idle for this many ms, if it can (MariaDB); absent: never. */
  readonly frozenMs?: number | undefined
  /** The route to the server, if not direct. */
  readonly route?: Route | undefined
}

const DEFAULTS = { connect_timeout: 10, pool_size: 4, retry_seconds: 60, response_timeout: 300 } as const
const TEXTS = ['ssl-mode', 'sslmode', 'ssl-ca', 'ssl-cert', 'ssl-key', 'socket'] as const
const KNOWN: ReadonlySet<string> = new Set([...TEXTS, ...Object.keys(DEFAULTS)])

const MODES: Readonly<Record<string, TlsMode>> = {
  disabled: 'disable',
  preferred: 'prefer',
  required: 'require',
  verify_ca: 'verify-ca',
  verify_identity: 'verify-full',
}

type ClientLogin = { readonly user: string | null; readonly password: string | null }

const NO_LOGIN: ClientLogin = { user: null, password: null }
const ESCAPED: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', r: '\r', s: ' ' }

/**
 * @param url `mysql://user:password@host:port/database?ssl-mode=…`, or `mariadb://`
 * @param env MYSQL_PWD fills in a missing password, then `~/.my.cnf`, which fills in a missing user, too
 * @throws SluiceError BAD_CONFIG that names the parameter
 */
export function mysqlConfig(url: string, env: NodeJS.ProcessEnv = process.env): MysqlConfig {
  const label = redactUrl(url)
  const parsed = parse(url, label)
  const texts = parsed.searchParams
  for (const name of texts.keys()) {
    if (!KNOWN.has(name)) {
      throw bad(`the database URL has an unknown parameter: ${name}`, label, `use only ${[...KNOWN].join(', ')}`)
    }
  }
  const database = decode(parsed.pathname.slice(1), label)
  if (database === '') {
    throw bad('the database URL does not name a database', label, 'write mysql://user@host:3306/database')
  }
  const socket = texts.get('socket')
  const host = parsed.hostname === '' ? 'localhost' : decode(parsed.hostname.replace(/^\[(.*)\]$/, '$1'), label)
  const user =
    parsed.username === '' ? (clientLogin(env, host).user ?? env['USER'] ?? 'root') : decode(parsed.username, label)
  const given = parsed.password === '' ? env['MYSQL_PWD'] : decode(parsed.password, label)
  return {
    label,
    host,
    port: parsed.port === '' ? 3306 : Number(parsed.port),
    socket,
    user,
    password: () => given ?? clientLogin(env, host, user).password ?? '',
    database,
    tls: tlsOf(texts, host, socket !== null, label),
    connectMs: seconds(texts, 'connect_timeout', label, 1),
    responseMs: seconds(texts, 'response_timeout', label, 1),
    retryMs: seconds(texts, 'retry_seconds', label, 0),
    poolSize: whole(texts, 'pool_size', label, 1, 100),
  }
}

/**
 * User and password from `[client]` of `~/.my.cnf` for this host and user, read at each call. Source: MySQL's manual,
 * "Using Option Files". A file that other users can read is ignored. If the file has a host or a user, the login in the
 * file is used only for this host and user: a password must not be sent to another server.
 */
function clientLogin(env: NodeJS.ProcessEnv, host: string, user?: string): ClientLogin {
  const text = optionFileText(join(env['HOME'] ?? homedir(), '.my.cnf'), isOpenToOthers)
  const client = text === null ? null : sectionOf(text, 'client')
  if (client === null) return NO_LOGIN
  const [itsHost, itsUser, password] = ['host', 'user', 'password'].map((name) => valueOf(client.get(name)))
  const isOther = (its: string | null | undefined, wanted: string | undefined): boolean =>
    its != null && wanted !== undefined && its !== wanted
  if (isOther(itsHost, host) || isOther(itsUser, user)) return NO_LOGIN
  return { user: itsUser ?? null, password: password ?? null }
}

/** A value without its quotes, comment and escapes. */
function valueOf(written: string | undefined): string | null {
  if (written === undefined || written === '') return null
  const quoted = /^(["'])(.*)\1\s*(?:#.*)?$/.exec(written)
  const value = quoted?.[2] ?? written.replace(/\s*#.*$/, '')
  return value.replace(/\\(.)/g, (all, one: string) => ESCAPED[one] ?? (one === '\\' ? '\\' : all))
}

function parse(url: string, label: string): URL {
  const hint = 'write mysql://user:password@host:3306/database, with %40 for @ and %2F for / in names and passwords'
  if (!/^(?:mysql|mariadb):\/\//i.test(url)) throw bad('this is not a URL of a MySQL database', label, hint)
  try {
    return new URL(url)
  } catch {
    // The error of `new URL` contains the whole text, with the password.
    throw bad('the database URL cannot be read', label, hint)
  }
}

function tlsOf(texts: URLSearchParams, host: string, isSocket: boolean, label: string): TlsPlan {
  const pem = (parameter: 'ssl-ca' | 'ssl-cert' | 'ssl-key'): PemFile | undefined => {
    const path = texts.get(parameter)
    return path === null ? undefined : { path, parameter }
  }
  const word = texts.get('ssl-mode') ?? texts.get('sslmode')
  return tlsPlan({
    mode: word === null ? undefined : modeOf(word, label),
    ca: pem('ssl-ca'),
    cert: pem('ssl-cert'),
    key: pem('ssl-key'),
    host,
    isLocal: isSocket || isLocalHost(host),
  })
}

function modeOf(word: string, label: string): TlsMode {
  const lower = word.toLowerCase()
  const mode = MODES[lower] ?? TLS_MODES.find((known) => known === lower)
  if (mode !== undefined) return mode
  throw bad(`ssl-mode=${word} is not known`, label, `use one of ${Object.keys(MODES).join(', ').toUpperCase()}`)
}

function seconds(texts: URLSearchParams, name: keyof typeof DEFAULTS, label: string, least: number): number {
  return whole(texts, name, label, least, 86_400) * 1_000
}

function whole(
  texts: URLSearchParams,
  name: keyof typeof DEFAULTS,
  label: string,
  least: number,
  most: number,
): number {
  const text = texts.get(name) ?? String(DEFAULTS[name])
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= least && number <= most) return number
  throw bad(`${name}=${text} is not valid`, label, `write a whole number from ${least} to ${most}`)
}

function decode(text: string, label: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw bad(
      'the database URL has a % that does not begin an encoded character',
      label,
      'write %25 for a percent sign',
    )
  }
}

function bad(message: string, where: string, hint: string): SluiceError {
  return new SluiceError('BAD_CONFIG', message, { where, hint })
}

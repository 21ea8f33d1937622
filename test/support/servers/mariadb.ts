/**
 * A new MariaDB for a test file, with its own folder and port on 127.0.0.1, removed afterwards; or a server that an
 * environment variable names.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'
import { freePort } from './free-port.ts'
import { copyFresh } from './template.ts'

const NAMED = process.env['SLUICE_TEST_MYSQL_URL']
const START_MS = 30_000
const STOP_MS = 15_000
const USER = 'app'
const PASSWORD = 'app-password'

export type MariadbOptions = {
  /** False: the server refuses LOAD DATA LOCAL. */
  readonly localInfile?: boolean
  /** Paths of PEM files; without them the server offers no TLS. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
  /** Additional command line arguments. */
  readonly more?: readonly string[]
}

export interface MariadbServer extends AsyncDisposable {
  readonly port: number
  /** False for a named server, which tests must not kill. */
  readonly isOurs: boolean
  /** `mysql://` URL; without a database it names none. */
  url(database?: string, user?: string, password?: string): string
  createDatabase(name: string): Promise<void>
  /** Runs statements as the superuser. */
  sql(...statements: readonly string[]): Promise<void>
  /** Ends the server with SIGKILL; its files are kept. */
  kill9(): Promise<void>
  /** Restarts the server on its files and its port, after `kill9` or while it runs. */
  restart(): Promise<void>
  /** Ends the server and removes its files. */
  stop(): Promise<void>
}

const SERVER = findProgram(['mariadbd', 'mysqld'])
const INSTALLER = findProgram(['mariadb-install-db'])

/** Why no server is available; empty if one is. */
export const MARIADB_MISSING: string =
  NAMED !== undefined || (SERVER !== null && INSTALLER !== null) ? '' : 'mariadbd is not installed'
/** Also true where `.ci/run` has installed it, so that the tests fail there if it is missing. npm has no MariaDB. */
export const MARIADB_AVAILABLE: boolean = MARIADB_MISSING === '' || Boolean(process.env['SLUICE_REQUIRE_MYSQL'])

/** @throws Error with the end of the server's log if it does not start */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  if (NAMED !== undefined) return named(NAMED)
  if (SERVER === null || INSTALLER === null) throw new Error(MARIADB_MISSING)
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-mariadb-'))
  chmodSync(folder, 0o755)
  const data = join(folder, 'data')
  const init = join(folder, 'init.sql')
  writeFileSync(
    init,
    `CREATE USER IF NOT EXISTS '${USER}'@'%' IDENTIFIED BY '${PASSWORD}';\nGRANT ALL ON *.* TO '${USER}'@'%' WITH GRANT OPTION;\n`,
  )
  const owner = serverUser()
  if (owner !== null) for (const path of [folder, init]) chownSync(path, owner.uid, owner.gid)
  const log = join(folder, 'error.log')
  try {
    copyFresh('mariadb', data, owner ?? {}, (fresh) => {
      mkdirSync(fresh)
      if (owner !== null) chownSync(fresh, owner.uid, owner.gid)
      const parent = dirname(fresh)
      const install = [
        '--no-defaults',
        `--datadir=${fresh}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
      ]
      // The folder for temporary files belongs to the user of the tests, not to the server's user.
      const env = { ...process.env, TMPDIR: parent }
      execFileSync(INSTALLER, install, { ...owner, cwd: parent, stdio: 'pipe', env })
    })
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  const port = await freePort()
  const words = [
    '--no-defaults',
    `--datadir=${data}`,
    `--socket=${join(folder, 's.sock')}`,
    `--tmpdir=${folder}`,
    `--pid-file=${join(folder, 'pid')}`,
    `--log-error=${log}`,
    `--init-file=${init}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    '--skip-name-resolve',
    '--innodb-buffer-pool-size=128M',
    '--innodb-flush-log-at-trx-commit=2',
    '--innodb-log-file-size=64M',
    '--skip-log-bin',
    `--local-infile=${options.localInfile === false ? 0 : 1}`,
    ...(options.tls === undefined ? [] : tlsWords(options.tls, folder, owner)),
    ...(options.more ?? []),
  ]
  return await new OwnServer(SERVER, words, folder, log, port, owner).start()
}

type Owner = { readonly uid: number; readonly gid: number }

class OwnServer implements MariadbServer {
  readonly isOurs = true
  readonly port: number
  readonly #program: string
  readonly #words: readonly string[]
  readonly #folder: string
  readonly #log: string
  readonly #owner: Owner | null
  #child: ChildProcess | null = null
  readonly #killAtExit = (): void => void this.#child?.kill('SIGKILL')

  constructor(
    program: string,
    words: readonly string[],
    folder: string,
    log: string,
    port: number,
    owner: Owner | null,
  ) {
    this.#program = program
    this.#words = words
    this.#folder = folder
    this.#log = log
    this.port = port
    this.#owner = owner
    process.on('exit', this.#killAtExit)
  }

  url(database = '', user = USER, password = PASSWORD): string {
    const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`
    return `mysql://${login}@127.0.0.1:${this.port}/${encodeURIComponent(database)}`
  }

  async start(): Promise<this> {
    const child = spawn(this.#program, this.#words, { ...this.#owner, cwd: this.#folder, stdio: 'ignore' })
    this.#child = child
    const deadline = performance.now() + START_MS
    for (;;) {
      if (child.exitCode !== null || performance.now() > deadline) {
        const tail = existsSync(this.#log) ? readFileSync(this.#log, 'utf8').split('\n').slice(-15).join('\n') : ''
        await this.stop()
        throw new Error(`mariadbd does not start (exit code ${String(child.exitCode)}):\n${tail}`)
      }
      try {
        await this.sql('SELECT 1')
        return this
      } catch {
        await sleep(30)
      }
    }
  }

  async sql(...statements: readonly string[]): Promise<void> {
    await runAll(this.url(), statements)
  }

  async createDatabase(name: string): Promise<void> {
    await this.sql(createStatement(name))
  }

  async kill9(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async restart(): Promise<void> {
    await this.#end('SIGTERM')
    await this.start()
  }

  async stop(): Promise<void> {
    process.off('exit', this.#killAtExit)
    await this.#end('SIGTERM')
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(late)
  }
}

function named(url: string): MariadbServer {
  const base = new URL(url)
  const refuse = async (): Promise<never> => {
    throw new Error('the server of SLUICE_TEST_MYSQL_URL is not ours to stop')
  }
  const server: MariadbServer = {
    isOurs: false,
    port: Number(base.port === '' ? 3306 : base.port),
    url(database = '', user, password) {
      const other = new URL(base)
      other.pathname = `/${encodeURIComponent(database)}`
      if (user !== undefined) other.username = encodeURIComponent(user)
      if (password !== undefined) other.password = encodeURIComponent(password)
      return other.href
    },
    createDatabase: async (name) => await server.sql(createStatement(name)),
    sql: async (...statements) => await runAll(server.url(), statements),
    kill9: refuse,
    restart: refuse,
    stop: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
  return server
}

async function runAll(url: string, statements: readonly string[]): Promise<void> {
  const connection = await createConnection({ uri: url, connectTimeout: 2_000 })
  try {
    for (const statement of statements) await connection.query(statement)
  } finally {
    connection.destroy()
  }
}

function createStatement(name: string): string {
  return `CREATE DATABASE \`${name.replaceAll('`', '``')}\` CHARACTER SET utf8mb4`
}

/** Copies the PEM files for the server's user, which may not be allowed to read the originals. */
function tlsWords(tls: NonNullable<MariadbOptions['tls']>, folder: string, owner: Owner | null): string[] {
  return (['ca', 'cert', 'key'] as const).map((part) => {
    const copy = join(folder, `${part}.pem`)
    writeFileSync(copy, readFileSync(tls[part]), { mode: 0o600 })
    if (owner !== null) chownSync(copy, owner.uid, owner.gid)
    return `--ssl-${part}=${copy}`
  })
}

/** Root may not run the server itself; the user `nobody` is used if Debian's package created none. */
function serverUser(): Owner | null {
  if (process.getuid?.() !== 0) return null
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if (name === 'mysql') return { uid: Number(uid), gid: Number(gid) }
  }
  return { uid: 65_534, gid: 65_534 }
}

function findProgram(names: readonly string[]): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']
  for (const name of names) {
    const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
    if (found !== undefined) return found
  }
  return null
}

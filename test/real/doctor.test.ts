/** What `doctor` reports for healthy and broken setups, on real servers and files. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commitName } from '../../src/delta/log-path.ts'
import { Examination } from '../../src/app/doctor/examination.ts'
import { localeVerdict, spaceVerdict, terminalVerdict } from '../../src/app/doctor/program.ts'
import { locksVerdict } from '../../src/app/doctor/server-check.ts'
import { ok } from '../../src/model/run/verdict.ts'
import { connectionsVerdict, tlsVerdict } from '../../src/stores/common/server-verdicts.ts'
import { openCatalogDatabase } from '../../src/engine/run/registry.ts'
import type { CheckEvent, EventBody } from '../../src/model/run/event.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { tlsPlan } from '../../src/stores/common/tls.ts'
import { eventSchema } from '../cli/event-schema.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { MARIADB_AVAILABLE, MARIADB_MISSING, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { S3_AVAILABLE, S3_MISSING, startS3 } from '../support/servers/s3.ts'
import { startProxy, type Proxy } from '../support/servers/proxy.ts'
import { importOf, perform, type Performed } from './operation-kit.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const pem = (name: string): string => join(ROOT, 'fixtures/tls', name)
const RUN = randomBytes(4).toString('hex')
const SECRET = 'login secret'

let folder: Folder
let lake: string
let table: string

beforeAll(() => {
  folder = temporaryFolder()
  lake = join(folder.path, 'lake')
  table = join(lake, 'one')
  writeLog(table, [[PROTOCOL, METADATA, add('a')], [add('b')]])
})
afterAll(() => folder[Symbol.dispose]())

const inspect = (catalog?: string, path?: string): Promise<Performed> =>
  perform({ kind: 'doctor', ...(catalog === undefined ? {} : { catalog }), ...(path === undefined ? {} : { path }) })

/** Every finding with a status other than ok, with its subject. */
function troubles({ events }: Performed): readonly string[] {
  return events.flatMap((event) =>
    event.type === 'check' && event.status !== 'ok'
      ? [`${event.status} ${event.area}/${event.check}: ${event.found}`]
      : [],
  )
}

function expectProblem(performed: Performed, check: string, finding: Partial<Record<keyof CheckEvent, unknown>>): void {
  expect(performed.check(check)).toMatchObject({ status: 'fail', ...finding })
  expect(performed.check(check)?.hint).toBeTruthy()
  expect(performed.finished).toMatchObject({ exitCode: 1, status: 'failed', error: { code: 'SETUP_PROBLEMS' } })
}

async function imported(catalog: string): Promise<void> {
  expect((await perform(importOf(table, catalog))).finished.error).toBeUndefined()
}

async function change(catalog: string, ...statements: readonly string[]): Promise<void> {
  await using database = await openCatalogDatabase(catalog, 'write')
  await database.write(async (transaction) => {
    for (const statement of statements) await transaction.run(statement)
  })
}

const HERE_BUT_DEAD = `INSERT INTO catalog_leases (table_id, fence, owner, host, pid, command, acquired_at, expires_at) VALUES ('gone', 1, 'o', 'far-away', 42, 'import', 1, 2)`
const NEWER = `INSERT INTO catalog_migrations (version, name, checksum, breaking, applied_at) VALUES (9000, 'tomorrow', 'x', 1, 'then')`

describe('a file', () => {
  for (const kind of ['sqlite', 'duckdb'] as const) {
    test(`${kind}: every check is ok before and after an import`, async () => {
      const catalog = `${kind}:///${join(folder.path, `sound.${kind}`)}`
      const before = await inspect(catalog, lake)
      expect(troubles(before)).toEqual([])
      expect(before.check('file')?.found).toBe('it does not exist yet: the first import creates it')
      await imported(catalog)
      const after = await inspect(catalog, table)
      expect(troubles(after)).toEqual([])
      expect(after.finished).toMatchObject({ exitCode: 0, totals: { problems: '0', warnings: '0' } })
      expect(after.check('version')?.found).toMatch(/^version \d+, 1 table$/)
      expect(after.check('imports')?.found).toBe('none unfinished')
    })
  }

  test('a missing folder, a folder in place of the file, and a file that is no database are reported', async () => {
    expectProblem(await inspect(`sqlite:///${join(folder.path, 'no', 'such', 'c.db')}`), 'folder', {
      found: `${join(folder.path, 'no', 'such')} does not exist`,
    })
    expectProblem(await inspect(`duckdb:///${lake}`), 'file', { found: `${lake} is a folder` })
    const text = join(folder.path, 'text.db')
    writeFileSync(text, 'no database at all, but long enough to be looked at as one'.repeat(100))
    const performed = await inspect(`sqlite:///${text}`)
    expect(performed.finished.exitCode).toBe(1)
    expect(troubles(performed).join()).toMatch(/^fail /)
  })

  test('a catalog of a newer sluice, and a database without one, are reported', async () => {
    const newer = `sqlite:///${join(folder.path, 'newer.db')}`
    await imported(newer)
    await change(newer, NEWER)
    expectProblem(await inspect(newer), 'version', { found: 'the catalog was created by a newer sluice' })
    const foreign = `sqlite:///${join(folder.path, 'foreign.db')}`
    await change(foreign, 'CREATE TABLE delta_files (mine int)')
    expectProblem(await inspect(foreign), 'version', {
      found: expect.stringContaining('sluice did not create') as string,
    })
  })

  test('unfinished imports, leases of dead processes and missing indexes are reported', async () => {
    const catalog = `sqlite:///${join(folder.path, 'killed.db')}`
    await imported(catalog)
    await change(catalog, HERE_BUT_DEAD, 'DROP INDEX delta_files_closed')
    const performed = await inspect(catalog)
    expect(performed.finished.exitCode).toBe(0)
    expect(performed.check('imports')).toMatchObject({ status: 'warn', found: '1 lease left behind: gone' })
    expect(performed.check('imports')?.cause).toContain('process 42 on far-away')
    expect(performed.check('indexes')).toMatchObject({ status: 'warn', found: 'missing: delta_files_closed' })
    await change(catalog, `UPDATE delta_tables SET "cursor" = '{}'`)
    expect((await inspect(catalog)).check('imports')?.found).toMatch(/^1 unfinished: /)
  })

  test('invalid URLs are reported', async () => {
    for (const url of [
      'mongodb://h/k',
      'cassandra://h/k?odd=1',
      'sqlite://x',
      'postgresql://h:99999999/x',
      'postgresql://h/x?sslmode=odd',
    ])
      expectProblem(await inspect(url), 'address', {})
  })
})

describe('a lake', () => {
  test('that is missing, is a file, or has no tables is reported', async () => {
    expectProblem(await inspect(undefined, join(folder.path, 'nowhere')), 'address', {
      found: `there is no folder ${join(folder.path, 'nowhere')}`,
    })
    const empty = join(folder.path, 'empty')
    mkdirSync(empty)
    const performed = await inspect(undefined, empty)
    expect(performed.check('tables')).toMatchObject({ status: 'warn', found: 'none' })
    expect(performed.finished.exitCode).toBe(0)
  })

  test('whose commits are from the future or out of order is reported', async () => {
    const path = join(folder.path, 'times', 't')
    writeLog(path, [[PROTOCOL, METADATA], [add('a')], [add('b')]])
    expect((await inspect(undefined, path)).check('commit times')).toMatchObject({ status: 'ok' })
    const set = (version: number, seconds: number): void =>
      utimesSync(join(path, '_delta_log', commitName(version)), seconds, seconds)
    set(1, 1_600_000_000)
    expect((await inspect(undefined, path)).check('commit times')).toMatchObject({
      status: 'warn',
      found: '1 commit older than the one before',
    })
    set(2, Date.now() / 1000 + 7200)
    expect((await inspect(undefined, path)).check('commit times')).toMatchObject({
      status: 'warn',
      found: '1 commit from the future',
    })
  })
})

describe.skipIf(!POSTGRES_OWN)(
  `PostgreSQL${POSTGRES_OWN ? '' : ` (needs a server of its own: ${POSTGRES_MISSING})`}`,
  { timeout: 60_000 },
  () => {
    let server: PostgresServer
    let databases = 0

    beforeAll(async () => {
      server = await startPostgres({ fsync: true })
    })
    afterAll(async () => {
      await server[Symbol.asyncDispose]()
    })

    async function sql(url: string, ...statements: readonly string[]): Promise<void> {
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      try {
        for (const statement of statements) await client.query(statement)
      } finally {
        await client.end()
      }
    }

    async function place(): Promise<string> {
      const name = `d${++databases}`
      await server.createDatabase(name)
      return name
    }

    test('every check is ok before and after an import', async () => {
      const catalog = `${server.url(await place())}?schema=lake`
      const before = await inspect(catalog)
      expect(troubles(before)).toEqual([])
      expect(before.check('version')?.found).toContain('no catalog yet')
      await imported(catalog)
      const after = await inspect(catalog)
      expect(troubles(after)).toEqual([])
      expect(after.check('server')?.found).toMatch(/^PostgreSQL \d+.*UTF8/)
      expect(after.check('rights')?.found).toBe('sluice is admin: may create, upgrade and import')
      expect(after.check('session locks')?.found).toContain('one session at a time')
      expect(JSON.stringify(after.events)).not.toContain(encodeURIComponent('pässword'))
      expect(JSON.stringify(after.events)).not.toContain('pässword')
    })

    test('a wrong password, a missing database and a server that is down are reported', async () => {
      const name = await place()
      const wrong = await inspect(server.url(name, 'sluice', 'not the password'))
      expectProblem(wrong, 'login', { found: 'Database connection failed' })
      expect(wrong.check('login')?.cause).toContain('password authentication failed')
      expect(wrong.check('server')).toBeUndefined()
      expect(JSON.stringify(wrong.events)).not.toContain('not the password')
      const nowhere = await inspect(server.url('nowhere'))
      expect(nowhere.check('login')?.cause).toContain('does not exist')
      const free = createServer().listen(0, '127.0.0.1')
      await new Promise((listening) => free.once('listening', listening))
      const { port } = free.address() as AddressInfo
      await new Promise((closed) => free.close(closed))
      const down = await inspect(`postgresql://x@127.0.0.1:${port}/x`)
      expectProblem(down, 'network', { cause: 'nothing listens there (ECONNREFUSED)' })
      expect(down.check('login')).toBeUndefined()
    })

    // These run together, because one of them waits for an answer that never comes.
    test.concurrent('a read-only login, one without rights, and one that may not upgrade are reported', async () => {
      const name = await place()
      const catalog = server.url(name)
      await imported(catalog)
      await sql(server.url(name), `CREATE ROLE reader LOGIN PASSWORD '${SECRET}'`)
      const reader = server.url(name, 'reader', SECRET)
      expectProblem(await inspect(reader), 'rights', { found: 'reader may not read the catalog' })
      await perform({ kind: 'grants', catalog, role: 'reader', to: 'reader', apply: true })
      const may = await inspect(reader)
      expect(may.check('rights')).toMatchObject({
        status: 'warn',
        found: 'reader is reader: may query, but not import',
      })
      expect(may.check('rights')?.cause).toMatch(/^it lacks INSERT, UPDATE, DELETE on /)
      expect(may.finished.exitCode).toBe(0)
      await perform({ kind: 'grants', catalog, role: 'importer', to: 'reader', apply: true })
      expect((await inspect(reader)).check('rights')).toMatchObject({ status: 'ok' })
      await sql(server.url(name), 'REVOKE EXECUTE ON FUNCTION catalog_analyze() FROM reader')
      expect((await inspect(reader)).check('rights')).toMatchObject({
        status: 'warn',
        cause: expect.stringContaining('EXECUTE on catalog_analyze') as string,
      })
    })

    test.concurrent(
      'a database with read-only transactions and a role with a statement timeout are reported',
      async () => {
        const name = await place()
        await imported(server.url(name))
        await sql(
          server.url(name),
          `ALTER DATABASE ${name} SET default_transaction_read_only = on`,
          `ALTER ROLE sluice IN DATABASE ${name} SET statement_timeout = '30s'`,
          `ALTER ROLE sluice IN DATABASE ${name} SET synchronous_commit = off`,
        )
        const performed = await inspect(server.url(name))
        expectProblem(performed, 'writes', { found: 'refused: transactions are read-only by default' })
        expect(performed.check('timeouts')).toMatchObject({ status: 'warn', found: 'statement_timeout is 30000 ms' })
        expect(performed.check('durability')).toMatchObject({ status: 'warn', found: 'synchronous_commit is off' })
        expect((await inspect(`${server.url(name)}?statement_timeout=600000`)).check('timeouts')?.status).toBe('ok')
        const other = await place()
        await imported(server.url(other))
        await sql(server.url(other), 'DROP INDEX delta_files_default_key')
        expect((await inspect(server.url(other))).check('indexes')).toMatchObject({
          status: 'warn',
          found: 'missing: delta_files_default',
        })
      },
    )

    test.concurrent('an encrypted connection is reported with and without certificate checks', async () => {
      await using secure = await startPostgres({
        fsync: true,
        ssl: { cert: pem('server.pem'), key: pem('server.key') },
      })
      const ca = `sslrootcert=${encodeURIComponent(pem('ca.pem'))}`
      const checked = await inspect(`${secure.url()}?sslmode=verify-full&${ca}`)
      expect(checked.check('tls')?.found).toMatch(/^TLSv1\.\d \S+, certificate and host checked$/)
      const bare = await inspect(`${secure.url()}?sslmode=require`)
      expect(bare.check('tls')?.found).toContain('certificate not checked; it stays on this machine')
      const wrong = await inspect(
        `${secure.url()}?sslmode=verify-full&sslrootcert=${encodeURIComponent(pem('other-ca.pem'))}`,
      )
      expectProblem(wrong, 'login', { found: expect.stringContaining('no secure connection') as string })
    })

    test.concurrent('clocks that differ are reported', async () => {
      const catalog = server.url(await place())
      const skewed = (ms: number): Promise<Performed> =>
        perform({ kind: 'doctor', catalog }, { ...systemClock, now: () => Date.now() + ms })
      expect((await skewed(10_000)).check('clocks')).toMatchObject({ status: 'warn' })
      const far = await skewed(-60_000)
      expectProblem(far, 'clocks', { found: expect.stringMatching(/^the server is (?:59|60)\.\d s ahead$/) as string })
    })

    test.concurrent('a server that goes silent before or after the login does not block doctor', async () => {
      const name = await place()
      await using late = await startProxy(server.port)
      await using early = await startProxy(server.port)
      late.onClientData((data) => {
        if (data.includes('SELECT 1')) late.freeze()
      })
      early.freeze()
      const through = ({ port }: Proxy, more = ''): string =>
        server.url(name).replace(`:${server.port}/`, `:${port}/`) + more
      const start = performance.now()
      const [after, before] = await Promise.all([inspect(through(late)), inspect(through(early, '?connect_timeout=1'))])
      expectProblem(after, 'round trip', { found: 'no answer within 5 s' })
      expect(after.check('server')).toBeUndefined()
      expectProblem(before, 'login', {})
      expect(performance.now() - start).toBeLessThan(20_000)
    })

    test.concurrent('with a pooler in transaction mode, doctor reports that locks do not hold', async () => {
      await using database = await openCatalogDatabase(server.url(await place()), 'read')
      const session = new pg.Client({ connectionString: server.url() })
      await session.connect()
      try {
        // Such a pooler lends the same session to two clients that are idle between their statements.
        const pooled: Pick<SqlDatabase, 'lock'> = {
          lock: async (name) => {
            const { rows } = await session.query<{ taken: boolean }>(
              'SELECT pg_try_advisory_lock(hashtext($1)) AS taken',
              [name],
            )
            return rows[0]?.taken === true ? { held: true, [Symbol.asyncDispose]: async () => undefined } : null
          },
        }
        expect(await locksVerdict(pooled as SqlDatabase, 'x')).toMatchObject({
          status: 'warn',
          found: expect.stringContaining('got the same lock') as string,
        })
        expect(await locksVerdict(database, 'x')).toMatchObject({ status: 'ok' })
      } finally {
        await session.end()
      }
    })
  },
)

describe.skipIf(!MARIADB_AVAILABLE)(
  `MariaDB${MARIADB_AVAILABLE ? '' : ` (skipped: ${MARIADB_MISSING})`}`,
  { timeout: 60_000 },
  () => {
    let server: MariadbServer
    let databases = 0

    beforeAll(async () => {
      server = await startMariadb()
    })
    afterAll(async () => {
      await server.stop()
    })

    async function place(): Promise<string> {
      const name = `d_${RUN}${++databases}`
      await server.createDatabase(name)
      return name
    }

    test('every check is ok except durability, which the test server has switched off', async () => {
      const catalog = server.url(await place())
      await imported(catalog)
      const performed = await inspect(catalog)
      // The test server is started with settings that do not wait for the disk.
      const known = ['warn database/durability: innodb_flush_log_at_trx_commit is 2']
      expect(troubles(performed).filter((trouble) => !known.includes(trouble))).toEqual([])
      expect(performed.check('server')?.found).toMatch(/^M/)
      expect(performed.check('collation')?.status).toBe('ok')
      expect(performed.check('rights')?.found).toMatch(/ is admin: /)
      expect(performed.finished.exitCode).toBe(0)
    })

    test('a wrong password, a reader, a converted relation, and a read-only server are reported', async () => {
      const name = await place()
      const catalog = server.url(name)
      await imported(catalog)
      const wrong = await inspect(server.url(name, 'app', 'not the password'))
      expectProblem(wrong, 'login', {})
      expect(wrong.check('login')?.cause).toMatch(/denied/i)
      const user = `reader${RUN}`
      await server.sql(`CREATE USER '${user}'@'%' IDENTIFIED BY '${SECRET}'`)
      await perform({ kind: 'grants', catalog, role: 'reader', to: user, apply: true })
      const reader = await inspect(server.url(name, user, SECRET))
      expect(reader.check('rights')).toMatchObject({
        status: 'warn',
        found: `${user}@% is reader: may query, but not import`,
      })
      expect(reader.finished.exitCode).toBe(0)
      await server.sql(`ALTER TABLE \`${name}\`.delta_txns CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci`)
      expectProblem(await inspect(catalog), 'collation', { found: 'delta_txns compares texts by utf8mb4_general_ci' })
      if (!server.isOurs) return
      await server.sql('SET GLOBAL read_only = ON')
      try {
        expectProblem(await inspect(catalog), 'writes', { found: 'refused: read_only is on' })
      } finally {
        await server.sql('SET GLOBAL read_only = OFF')
      }
    })
  },
)

describe('verdicts', () => {
  test('an encrypted connection gets the status of its mode', () => {
    const words = { full: 'sslmode=verify-full', ca: 'sslrootcert' }
    const options = (mode: 'disable' | 'require' | 'verify-ca' | 'verify-full', isLocal = false) => ({
      tls: tlsPlan({ mode, host: 'db.example', isLocal }),
      isLocal,
      poolSize: 4,
      hasStatementTimeout: false,
    })
    expect(tlsVerdict(null, options('disable'), words)).toMatchObject({ status: 'warn', found: 'not encrypted' })
    expect(tlsVerdict(null, options('disable', true), words).status).toBe('ok')
    expect(tlsVerdict('TLSv1.3', options('require'), words)).toMatchObject({ status: 'warn' })
    expect(tlsVerdict('TLSv1.3', options('require'), words).hint).toContain('sslmode=verify-full')
    expect(tlsVerdict('TLSv1.3', options('verify-ca'), words).found).toContain('host name not')
    expect(tlsVerdict('TLSv1.3', options('verify-full'), words).found).toContain('certificate and host checked')
    expect(connectionsVerdict(9, 20, options('disable')).status).toBe('warn')
    expect(connectionsVerdict(10, 20, options('disable')).status).toBe('ok')
  })

  test('terminals, locales and disks get their status', () => {
    const env = { TERM: 'xterm', LANG: 'de_DE.UTF-8' }
    expect(terminalVerdict({ isTTY: true, columns: 80, rows: 24, env })?.status).toBe('ok')
    expect(terminalVerdict({ isTTY: true, columns: 79, rows: 24, env })?.status).toBe('warn')
    expect(terminalVerdict({ isTTY: true, columns: 200, rows: 50, env: { TERM: 'dumb' } })?.status).toBe('warn')
    expect(localeVerdict({ isTTY: true, columns: 80, rows: 24, env }).status).toBe('ok')
    expect(localeVerdict({ isTTY: true, columns: 80, rows: 24, env: { ...env, LC_ALL: 'C' } }).status).toBe('warn')
    expect([1e6, 5e8, 5e9].map((free) => spaceVerdict('x', free, 'y').status)).toEqual(['fail', 'warn', 'ok'])
  })

  test('a check that takes too long is given up, and an abort ends the examination', async () => {
    const said: EventBody[] = []
    const examination = new Examination((event) => said.push(event), NEVER.abort, 50)
    const { late } = await examination.check('a', 'slow', () => new Promise(() => undefined))
    expect(late).toBe(true)
    await examination.check('a', 'broken', () => Promise.reject(new Error('out of order')))
    expect(said).toMatchObject([
      { check: 'slow', status: 'fail', found: 'no answer within 0.05 s' },
      { check: 'broken', status: 'fail', found: 'out of order' },
    ])
    const aborted = new Examination(() => undefined, AbortSignal.abort(new Error('enough')))
    await expect(aborted.check('a', 'never', async () => ok('x'))).rejects.toThrow('enough')
  })
})

type Ran = { readonly stdout: string; readonly stderr: string; readonly status: number | null }

/** Runs the program itself, asynchronously: the S3 server of the test is in this process and must answer it. */
async function sluice(words: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const env: NodeJS.ProcessEnv = { ...process.env, LC_ALL: 'C.UTF-8', ...more }
  for (const name of Object.keys(env)) {
    if (/^(?:NO_COLOR|FORCE_COLOR|CI|GITHUB_.*)$/.test(name) || (name.startsWith('AWS_') && !(name in more)))
      delete env[name]
  }
  const child = spawn(process.execPath, [join(ROOT, 'dist/cli/bin.js'), ...words], { cwd: folder.path, env })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].on('data', (data: Buffer) => (said[stream] += data.toString()))
  const [status] = (await once(child, 'close')) as [number | null]
  return { ...said, status }
}

test('the whole output is as expected', async () => {
  const { path } = folder
  const words = ['doctor', 'lake', '--database-url', 'sqlite:///screen.db']
  await imported(`sqlite:///${join(path, 'screen.db')}`)
  const { stdout, stderr, status } = await sluice(words)
  expect(status, stderr).toBe(0)
  const figures = stdout
    .replaceAll(path, '/work')
    .replace(/^(.* temporary files +).*$/m, '$1/tmp, 1.0 GB free')
    .replaceAll(/\d+(?:\.\d+)? (?:[KMGT]?B|ms)\b/g, (text) => `N ${text.split(' ')[1] === 'ms' ? 'ms' : 'GB'}`)
    .replaceAll(/v\d+\.\d+\.\d+.*$/gm, 'vN')
    .replace(/^(.* sqlite +).*$/m, '$1N')
    .replace(/version \d+, 1 table/, 'version N, 1 table')
  await expect(figures).toMatchFileSnapshot(join(ROOT, 'test/cli/golden/doctor.txt'))
  expect(stderr).toMatch(/end {6}checks 18, ok 18, warnings 0, problems 0 in .*\n.*exit {5}0\n$/)
  const json = await sluice([...words, '--json'])
  const events = json.stdout
    .trimEnd()
    .split('\n')
    .map((line) => eventSchema.parse(JSON.parse(line)))
  expect(events.filter(({ type }) => type === 'check')).toHaveLength(18)
})

test.skipIf(!S3_AVAILABLE)(
  `a bucket: credentials are found and not shown, the store answers, the list request is allowed${S3_AVAILABLE ? '' : ` (skipped: ${S3_MISSING})`}`,
  { timeout: 60_000 },
  async () => {
    await using server = await startS3()
    server.putFolder(lake, 'lake')
    const sound = await sluice(['doctor', server.url('lake')], server.env)
    expect(sound.stdout + sound.stderr).toContain('ok    credentials         from the environment (AWS_ACCESS_KEY_ID)')
    expect(sound.stdout).toMatch(/ok {4}list +answers in /)
    expect(sound.stdout).toMatch(/ok {4}first log +s3:\/\/.*\/one: version 1, 2 commits/)
    expect(sound.status).toBe(0)
    const secret = 'nobody-must-see-this'
    server.failNext(1000, 403, 'AccessDenied')
    const denied = await sluice(['doctor', server.url('lake')], { ...server.env, AWS_SECRET_ACCESS_KEY: secret })
    expect(denied.stdout).toMatch(/FAIL {2}list +S3 refuses access: AccessDenied/)
    expect(denied.stdout + denied.stderr).not.toContain(secret)
    expect(denied.status).toBe(1)
    server.reset()
    const nobody = await sluice(['doctor', server.url('lake')], {
      HOME: folder.path,
      AWS_EC2_METADATA_DISABLED: 'true',
    })
    expect(nobody.stdout).toMatch(/FAIL {2}credentials +no AWS credentials were found/)
    const away = await sluice(['doctor', server.url('lake')], {
      ...server.env,
      AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1',
    })
    expect(away.stdout).toMatch(/FAIL {2}network +127\.0\.0\.1 port 1 does not answer/)
    expect(away.status).toBe(1)
  },
)

/**
 * Passwords are given wherever a user may write them, then everything that sluice writes is searched for them, in every
 * encoding: output, logs, run history, sockets, temporary and state folders, process list, catalogs and ledgers.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { userInfo } from 'node:os'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isAlive } from '../../src/shared/owner.ts'
import { add, METADATA, PROTOCOL, temporaryFolder, writeLog, type Folder } from '../support/catalog-kit.ts'
import { MARIADB_AVAILABLE, startMariadb, type MariadbServer } from '../support/servers/mariadb.ts'
import { POSTGRES_OWN, startPostgres, type PostgresServer } from '../support/servers/postgresql.ts'
import { BIN, cleanEnv } from './support/program.ts'

const PASSWORDS = [
  ['a plain one', 'Zq7plainsecret'],
  ['with quotes', `Zq7'quo"ted`],
  ['with signs of URLs', 'Zq7@sl/ash:per%cent?&#'],
  ['with blanks and letters of elsewhere', 'Zq7 blänk ☃ end'],
] as const
const USER = 'planted'

/** As typed; encoded for URLs in each usual way, for JSON, for a shell and for SQL; and as an HTTP authorization. */
function formsOf(password: string): readonly string[] {
  const encoded = encodeURIComponent(password)
  const forms = [
    password,
    encoded,
    encoded.replaceAll("'", '%27'),
    encodeURI(password),
    new URL(`x://u:${encoded}@h`).password,
    JSON.stringify(password).slice(1, -1),
    password.replaceAll("'", String.raw`'\''`),
    password.replaceAll("'", "''"),
    Buffer.from(password).toString('base64').replaceAll('=', ''),
    Buffer.from(`${USER}:${password}`).toString('base64').replaceAll('=', ''),
    Buffer.from(password).toString('hex'),
  ]
  return [...new Set(forms)]
}

/** The encodings found in the bytes. */
function foundIn(bytes: Buffer | string, password: string): readonly string[] {
  const whole = Buffer.from(bytes)
  return formsOf(password).filter((form) => whole.includes(form) || whole.includes(Buffer.from(form, 'utf16le')))
}

let folder: Folder
let server: PostgresServer | null = null
let maria: MariadbServer | null = null
beforeAll(async () => {
  folder = temporaryFolder()
  if (POSTGRES_OWN) server = await startPostgres({ extraSettings: ['wal_level=logical'] })
  if (MARIADB_AVAILABLE) maria = await startMariadb()
})
afterAll(async () => {
  for (const pid of beside) {
    // A PID of a process that ended long ago may belong to another process now.
    if (isAlive(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(USER)) process.kill(pid, 'SIGKILL')
  }
  await server?.[Symbol.asyncDispose]()
  await maria?.[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

type Stage = {
  readonly cwd: string
  /** Contains everything that sluice writes: working, state, temporary and socket folders. */
  readonly written: string
  readonly env: NodeJS.ProcessEnv
}

function stageOf(name: string): Stage {
  const written = join(folder.path, name)
  const cwd = join(written, 'work')
  for (const one of ['work', 'state', 'tmp', 'run']) mkdirSync(join(written, one), { recursive: true, mode: 0o700 })
  const env = {
    ...cleanEnv(),
    XDG_STATE_HOME: join(written, 'state'),
    TMPDIR: join(written, 'tmp'),
    XDG_RUNTIME_DIR: join(written, 'run'),
  }
  return { cwd, written, env }
}

const said: { readonly command: string; readonly text: string }[] = []

async function sluice(
  { cwd, env }: Stage,
  words: readonly string[],
  more: NodeJS.ProcessEnv = {},
): Promise<{ code: number; out: string }> {
  const child = spawn(process.execPath, [BIN, ...words], {
    cwd,
    env: { ...env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number]>,
  ])
  said.push({ command: words[0] ?? '', text: out + err })
  return { code, out: out + err }
}

/** Archives and restores a partition, so that files, Delta log and ledger are written. */
async function archived(stage: Stage, url: string, log: readonly string[]): Promise<void> {
  await statements(url, [
    'CREATE TABLE v (id int, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
    `CREATE TABLE v_2020_q1 PARTITION OF v FOR VALUES FROM ('2020-01-01') TO ('2020-04-01')`,
    `CREATE TABLE v_2020_q2 PARTITION OF v FOR VALUES FROM ('2020-04-01') TO ('2020-07-01')`,
    `INSERT INTO v SELECT i, date '2020-01-01' + i FROM generate_series(1, 150) i`,
  ])
  const of = ['--from', url, '--table', 'public.v']
  const run = ['archive', 'run', ...of, '--to', './archive', '--partition', '2020-Q1', '--detach', '--ci', ...log]
  const ran = await sluice(stage, run)
  expect([ran.code, ran.out]).toEqual([0, ran.out])
  expect((await sluice(stage, ['archive', 'list', ...of, '--json'])).code).toBe(0)
  expect((await sluice(stage, ['archive', 'verify', ...of, '--ci', ...log])).code).toBe(0)
  const back = await sluice(stage, ['restore', ...of, '--partition', '2020-Q1', '--ci', ...log])
  expect([back.code, back.out]).toEqual([0, back.out])
}

/** Follows a copy until it has caught up, resumes the stream by its id, and ends it: the hints name both. */
async function followed(stage: Stage, url: string, log: readonly string[]): Promise<void> {
  const ends = ['--from', url, '--to', url]
  const copy = ['copy', ...ends, '--table', 't', '--to-table', 'f', '--follow', '--until-caught-up', '--json', ...log]
  const begun = await sluice(stage, copy)
  expect([begun.code, begun.out]).toEqual([0, begun.out])
  const [, stream = ''] = /"stream":"(\d+)"/.exec(begun.out) ?? []
  // Rows of a followed table cannot be repaired by diff.
  const beside = await sluice(stage, ['diff', ...ends, '--table', 't', '--to-table', 'f', '--fix', '--ci', ...log])
  expect(beside.out).toContain(`sluice follow ${stream}`)
  expect((await sluice(stage, ['follow', stream, ...ends, '--until-equal', '--ci', ...log])).code).toBe(0)
  expect((await sluice(stage, ['follow', stream, ...ends, '--end', '--ci', ...log])).code).toBe(0)
}

/** Repairs rows, which prints the command to undo it, and writes the report in each format. */
async function reported(stage: Stage, url: string, log: readonly string[]): Promise<void> {
  await statements(url, ['DELETE FROM t2 WHERE id < 4'])
  const ends = ['--from', url, '--to', url]
  const fixed = await sluice(stage, ['diff', ...ends, '--table', 't', '--to-table', 't2', '--fix', '--ci', ...log])
  expect([fixed.code, fixed.out]).toEqual([0, fixed.out])
  const [, run = ''] = /sluice diff --undo (\d+)|diff --undo (\d+)/.exec(fixed.out) ?? []
  for (const format of ['html', 'json', 'markdown']) {
    const written = await sluice(stage, ['report', run, '--to', url, '--format', format, '--write', `r.${format}`])
    expect([written.code, written.out]).toEqual([0, written.out])
  }
}

/** Everything that a viewer gets, until the run is live. */
async function watched(socket: string): Promise<string> {
  const line = connect(socket)
  let heard = ''
  line.setEncoding('utf8')
  line.write('{"watch":true}\n')
  await new Promise<void>((resolve, reject) => {
    line.on('error', reject)
    line.on('data', (piece: string) => {
      heard += piece
      if (heard.includes('"live":true')) resolve()
    })
  })
  line.destroy()
  return heard
}

/** Background runs, which are killed after the tests. */
const beside = new Set<number>()

/** A background run that is inspected in each way: by a viewer, and in the process list. */
async function begunBeside(
  stage: Stage,
  url: string,
  password: string,
): Promise<{ readonly id: string; readonly pid: number }> {
  const words = [
    'sync',
    '--all',
    '--watch',
    '--database-url',
    url,
    '--background',
    '--log-file',
    'all.log',
    '--verbose',
  ]
  const begun = await sluice(stage, words)
  expect([begun.code, begun.out]).toEqual([0, begun.out])
  const [, id = ''] = /run (\d+) continues/.exec(begun.out) ?? []
  const heard = await watched(join(stage.written, 'run', `sluice-${userInfo().uid}`, `run-${id}.sock`))
  const hello = JSON.parse(heard.split('\n')[0] ?? '') as { readonly run: { readonly pid: number } }
  const { pid } = hello.run
  beside.add(pid)
  expect(foundIn(heard, password)).toEqual([])
  if (process.platform === 'linux') expect(foundIn(readFileSync(`/proc/${pid}/cmdline`), password)).toEqual([])
  return { id, pid }
}

function expectNowhere({ written }: Stage, password: string): void {
  const files = readdirSync(written, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(written, name)).isFile(),
  )
  expect(files.some((name) => name.endsWith('runs.db'))).toBe(true)
  for (const name of files) expect([name, ...foundIn(readFileSync(join(written, name)), password)]).toEqual([name])
  for (const one of said)
    expect([one.command, ...foundIn(one.text, password), one.text]).toEqual([one.command, one.text])
}

const quotedValue = (value: string): string => `'${value.replaceAll("'", "''")}'`

async function statements(url: string, texts: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const one of texts) await client.query(one)
  } finally {
    await client.end()
  }
}

/** Every row of every table, as text. */
async function dumped(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    )
    const texts: string[] = []
    for (const { name } of rows) {
      const found = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)
      texts.push(name, ...found.rows.map(({ row }) => row))
    }
    return texts.join('\n')
  } finally {
    await client.end()
  }
}

describe.skipIf(!POSTGRES_OWN).each(PASSWORDS)('a password %s', (name, password) => {
  test('of PostgreSQL is found nowhere', { timeout: 300_000 }, async () => {
    said.length = 0
    const main = server as PostgresServer
    const database = `p${PASSWORDS.findIndex(([one]) => one === name)}`
    const stage = stageOf(database)
    await statements(main.url('postgres'), [
      `CREATE ROLE ${USER}_${database} LOGIN REPLICATION PASSWORD ${quotedValue(password)}`,
      `CREATE DATABASE ${database} OWNER ${USER}_${database}`,
    ])
    const url = main.url(database, `${USER}_${database}`, password)
    const wrong = main.url(database, `${USER}_${database}`, `${password}x`)
    await statements(url, [
      'CREATE TABLE t (id int PRIMARY KEY, v text)',
      'INSERT INTO t SELECT i, i::text FROM generate_series(1, 500) i',
    ])
    writeLog(join(stage.cwd, 'lake/one'), [[PROTOCOL, METADATA, add('a')], [add('b')]])

    const log = ['--log-file', 'all.log', '--verbose']
    const variable = { SLUICE_DATABASE_URL: url }
    // The config file is outside the searched folders, because the user wrote the password there.
    const config = join(folder.path, `${database}.yaml`)
    writeFileSync(config, `database-url: ${JSON.stringify(url)}\nstores:\n  here: ${JSON.stringify(url)}\n`, {
      mode: 0o600,
    })

    const copied = await sluice(stage, [
      'copy',
      '--from',
      url,
      '--to',
      'sqlite:///copy.db',
      '--table',
      't',
      '--ci',
      ...log,
    ])
    expect([copied.code, copied.out]).toEqual([0, copied.out])
    expect((await sluice(stage, ['copy', '--from', url, '--to', url, '--table', 't', '--ci', ...log])).code).not.toBe(0)
    expect(
      (await sluice(stage, ['copy', '--from', wrong, '--to', 'sqlite:///copy.db', '--table', 't', '--json', ...log]))
        .code,
    ).not.toBe(0)
    expect(
      (await sluice(stage, ['copy', '--from', url, '--to', url, '--to-table', 't2', '--table', 't', '--json', ...log]))
        .code,
    ).toBe(0)
    expect(
      (await sluice(stage, ['diff', '--from', url, '--to', 'sqlite:///copy.db', '--table', 't', '--json'])).code,
    ).toBe(0)
    expect((await sluice(stage, ['import', './lake/one', '--database-url', url, '--ci', ...log])).code).toBe(0)
    expect((await sluice(stage, ['import', './lake/one', '--json'], variable)).code).toBe(0)
    expect((await sluice(stage, ['runs', '--config', config, '--json'])).code).toBe(0)
    expect((await sluice(stage, ['sql', 'SELECT 1 FROM nowhere', '--database-url', url, '--ci'])).code).not.toBe(0)
    expect((await sluice(stage, ['doctor', '--database-url', url, '--ci'])).code).toBeLessThan(2)
    expect(
      (
        await sluice(stage, [
          'grants',
          '--database-url',
          url,
          '--role',
          'reader',
          '--to',
          `${USER}_${database}`,
          '--ci',
        ])
      ).code,
    ).toBeLessThan(5)
    // An unknown flag among others: the error prints the command as it was understood.
    expect((await sluice(stage, ['import', './lake/one', '--database-url', url, '--nonsense', '--ci'])).code).toBe(2)
    expect((await sluice(stage, ['import', url, '--ci'], variable)).code).not.toBe(0)
    expect((await sluice(stage, ['discover', url, '--json'])).code).toBe(0)

    await archived(stage, url, log)
    await followed(stage, url, log)
    await reported(stage, url, log)

    const { id, pid } = await begunBeside(stage, url, password)
    expectNowhere(stage, password)
    await sluice(stage, ['ctl', '--json'])
    expect((await sluice(stage, ['ctl', id, 'stop'])).code).toBe(0)
    await sluice(stage, ['attach', id, '--ci'])
    // A killed run leaves its files as they are.
    const killed = await begunBeside(stage, url, password)
    expect(killed.pid).not.toBe(pid)
    process.kill(killed.pid, 'SIGKILL')
    await sluice(stage, ['attach', killed.id, '--ci'])
    await sluice(stage, ['runs', '--here', '--ci'])

    expectNowhere(stage, password)
    const rows = await dumped(url)
    expect(rows).toContain('migration_status')
    expect(rows.split('\n').filter((row) => foundIn(row, password).length > 0)).toEqual([])
  })
})

test.skipIf(!MARIADB_AVAILABLE).each(PASSWORDS)(
  'a password %s of MariaDB is found nowhere',
  { timeout: 120_000 },
  async (name, password) => {
    said.length = 0
    const main = maria as MariadbServer
    const database = `m${PASSWORDS.findIndex(([one]) => one === name)}`
    const stage = stageOf(database)
    await main.sql(
      `CREATE DATABASE ${database}`,
      `CREATE OR REPLACE USER ${USER}@'%' IDENTIFIED BY '${password.replaceAll("'", "''")}'`,
      `GRANT ALL ON ${database}.* TO ${USER}@'%'`,
      `CREATE TABLE ${database}.t (id INT PRIMARY KEY, v VARCHAR(10))`,
      `INSERT INTO ${database}.t VALUES (1, 'a'), (2, 'b')`,
    )
    const url = main.url(database, USER, password)
    const log = ['--log-file', 'all.log', '--verbose']
    const copied = await sluice(stage, [
      'copy',
      '--from',
      url,
      '--to',
      'sqlite:///copy.db',
      '--table',
      't',
      '--ci',
      ...log,
    ])
    expect([copied.code, copied.out]).toEqual([0, copied.out])
    const wrong = main.url(database, USER, `${password}x`)
    expect(
      (await sluice(stage, ['copy', '--from', wrong, '--to', 'sqlite:///copy.db', '--table', 't', '--json', ...log]))
        .code,
    ).not.toBe(0)
    expect(
      (
        await sluice(stage, [
          'copy',
          '--from',
          'sqlite:///copy.db',
          '--to',
          url,
          '--to-table',
          't2',
          '--table',
          't',
          '--json',
          ...log,
        ])
      ).code,
    ).toBe(0)
    expect((await sluice(stage, ['sql', 'SELECT nonsense', '--database-url', url, '--ci'])).code).not.toBe(0)
    expectNowhere(stage, password)
  },
)

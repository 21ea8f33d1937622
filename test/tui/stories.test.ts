/**
 * The guides on one screen: each of their commands is found by name, filled in, planned and started, and shows its
 * result. Real programs, real databases.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BIN, DEMO_LAKE } from '../e2e/support/program.ts'
import { CASSANDRA_AVAILABLE } from '../support/servers/cassandra.ts'
import { newKeyspace } from '../support/servers/cassandra-kit.ts'
import { makePlace, missing } from '../support/copy-systems.ts'
import { compiled, openPty, type PtyApp } from './support/pty.ts'

type Wanted = string | RegExp

/** The end of the shown run; the log below it has the ends of other runs. */
const DONE = /^ (?:end +)?ok, exit 0/m

let folder = ''
let app: PtyApp
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-story-'))
})
afterEach(async () => {
  app.kill('SIGKILL')
  await app.ended
  rmSync(folder, { recursive: true, force: true })
})

async function open(args: readonly string[], seen: string, size = { columns: 120, rows: 29 }): Promise<void> {
  app = openPty({ ...size, script: BIN, args, cwd: folder, env: { XDG_STATE_HOME: join(folder, 'state') } })
  await app.until(seen)
}

/** Opens the form of a command line, and waits until it is parsed. */
async function fill(line: string): Promise<void> {
  await app.press([':'], '╭─ :')
  await app.press([`${line} `], '›')
  await app.press(['enter'], /enter (?:shows|asks)/)
  await app.until(/enter (?:shows (?:its plan;|what would change)|asks; nothing)/)
}

/** A read-only command: its form shows the result, and no run is started. */
async function answers(line: string, ...seen: readonly Wanted[]): Promise<void> {
  await fill(line)
  await app.press(['enter'], 'that is all; nothing was changed')
  for (const one of seen) await app.until(one)
  await close()
}

/** A command that changes data: its plan first, then the run. @param named whether a name must be typed before */
async function does(line: string, ended: RegExp, named = false): Promise<void> {
  await fill(line)
  if (!named) {
    await app.press(['enter'], 'Start (tab goes there)')
    await app.press(['tab'], 'enter starts it')
  } else {
    await app.press(['enter'], / to continue: /)
    await app.press([/Type (\S+) to continue/.exec(app.screen())?.[1] ?? ''], 'tab goes there')
    await app.press(['tab'], 'enter starts it')
  }
  await app.press(['enter'], (screen) => isOf(screen, line) && ended.test(screen))
  await app.press(['1'], '[1 Tables]')
}

/** Whether the screen shows a run of this command. */
function isOf(screen: string, line: string): boolean {
  const [, bar = '', head = ''] = screen.split('\n')
  return bar.includes('[2 Runs]') && head.startsWith(` ${line.split(' ')[0] ?? ''} `)
}

async function close(): Promise<void> {
  await app.press(['esc'], 'ctrl-f find')
  await app.press(['esc'], '? keys')
}

describe.skipIf(!compiled)('the guide', { timeout: 120_000 }, () => {
  it('from logs to a catalog runs on one screen', async () => {
    cpSync(DEMO_LAKE, join(folder, 'lake'), { recursive: true })
    await open(['./lake', '--database-url', 'sqlite:///lake.db'], 'sales/orders')
    await does('batch-import', /1 of 6 tables failed/)
    await does('validate lake/sales/orders', DONE)
    await does('fsck lake/sales/orders', DONE)
    await answers('history lake/sales/orders', 'v39')
    await answers("files lake/sales/orders --where 'month = 11'", '2 files')
    await answers('changes lake/sales/orders --from-version 3 --to-version 5', '2 changes')
    await answers("sql 'select count(*) as n from delta_tables'", /^.*\b4\b/m)
    await answers('migration-status', 'orders-')
    await does('index lake/events/clicks event_id', DONE)
    await does('export-log lake/sales/orders --to ./out', DONE)
    expect(readdirSync(join(folder, 'out', '_delta_log')).length).toBeGreaterThan(0)
    await does('sync lake/sales/orders', DONE)
    await answers('runs', /batch-import .*recursive/)
    await does('rollback lake/sales/orders', DONE, true)
    expect(new Database(join(folder, 'lake.db')).prepare('select count(*) as n from delta_tables').get()).toEqual({
      n: 3,
    })
  })

  it('of a copy that is stopped, resumed, compared and archived runs on one screen', async () => {
    const source = new Database(join(folder, 'source.db'))
    source.exec(`CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, "made at" TEXT NOT NULL);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
      INSERT INTO orders SELECT i, 'n' || i, '202' || (i % 4) || '-0' || (1 + i % 9) || '-01' FROM n`)
    source.close()
    await open(['sqlite:///source.db'], 'orders')
    const copy = 'copy --from sqlite:///source.db --to sqlite:///target.db --table orders --checkpoint-size 2000'
    await fill(`${copy} --rate 8000`)
    await app.press(['enter'], 'Start (tab goes there)')
    await app.press(['tab'], 'enter starts it')
    await app.press(['enter'], /copying +[1-9]\d? %/)
    await app.press(['x'], /exit 75/)
    await app.press(['1'], '[1 Tables]')
    await does(copy, DONE)
    await does('diff --from sqlite:///source.db --to sqlite:///target.db --table orders', DONE)
    await answers('runs --to sqlite:///target.db', 'orders')
    await answers('quarantine list --to sqlite:///target.db', '0:0')

    const of = '--from sqlite:///source.db --table orders'
    await does(`archive run ${of} --to ./cold --by 'made at' --older-than 4q`, DONE)
    await does(`archive verify ${of}`, DONE)
    await answers(`archive list ${of}`, /2020/)
    await answers(`query orders 'select count(*) as n from orders' --from sqlite:///source.db`, '60000')
    expect(existsSync(join(folder, 'cold'))).toBe(true)
  })

  it.skipIf(!CASSANDRA_AVAILABLE)('of token ranges runs on one screen', async () => {
    await using keyspace = await newKeyspace()
    await keyspace.link.client.execute(`CREATE TABLE ${keyspace.name}.events (id int PRIMARY KEY, name text)`)
    for (let id = 0; id < 300; id += 1)
      await keyspace.link.client.execute(`INSERT INTO ${keyspace.name}.events (id, name) VALUES (${id}, 'n${id}')`)
    await open([keyspace.url], 'events')
    const ends = `--from '${keyspace.url}' --to sqlite:///target.db --table events`
    await answers(`tokens events --from '${keyspace.url}'`, /\d{10,}/)
    await does(`copy ${ends} --splits 8`, DONE)
    await does(`diff ${ends}`, DONE)
    expect(new Database(join(folder, 'target.db')).prepare('select count(*) as n from events').get()).toEqual({
      n: 300,
    })
  })

  it('of partitions runs on one screen', async (context) => {
    if ((await missing('postgresql')) !== '') context.skip('PostgreSQL is missing')
    const place = await makePlace('postgresql', folder)
    await place.sql(
      'CREATE TABLE bookings (id bigint, at date NOT NULL, PRIMARY KEY (id, at))',
      `INSERT INTO bookings SELECT i, date '2024-01-01' + (i % 400)::int FROM generate_series(1, 2000) i`,
    )
    await open([place.url], 'bookings')
    const of = `--from '${place.url}' --table bookings`
    await answers(`partition plan ${of} --by at`, 'bookings')
    await does(`partition in-place ${of} --by at --last 2030-Q1`, DONE, true)
    await answers(`partition list ${of}`, 'bookings')
  })
})

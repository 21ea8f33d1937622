/** `sluice copy --settings migrator_settings.yaml` on a real Cassandra behaves as the parallel script. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import type { EnginePort } from '../../src/cli/ports.ts'
import { runOperation } from '../../src/app/run.ts'
import type { Event } from '../../src/model/run/event.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { eventSchema } from '../cli/event-schema.ts'
import { fakeContext } from '../cli/surroundings.ts'
import { makePlace, perform } from '../support/copy-systems.ts'
import { copyBetween } from './cassandra-target-kit.ts'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_MISSING } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'

const SETTINGS = 'migrator_settings.yaml'
const DEFAULTS = 'MAX_WORKERS: 5\nBATCH_INSERT_SIZE: 50\nFETCH_BATCH_SIZE: 100\n'

type Came = { readonly code: number; readonly err: string; readonly events: readonly Event[] }

const engine: EnginePort = {
  runOperation,
  openWorkbench: () => Promise.reject(new Error('no workbench here')),
  distribute: () => Promise.reject(new Error('no queue here')),
  steerShared: () => Promise.reject(new Error('no queue here')),
}

/** Runs a command as in a shell, in the current folder. */
async function sluice(...words: readonly string[]): Promise<Came> {
  const context = { ...fakeContext({ engine }), clock: systemClock }
  const code = await main(words, context)
  const lines = context.out().trimEnd().split('\n')
  const events = words.includes('--json') ? lines.map((line) => eventSchema.parse(JSON.parse(line))) : []
  return { code, err: context.err(), events }
}

describe.skipIf(!CASSANDRA_AVAILABLE)(
  `the parallel script${CASSANDRA_MISSING === '' ? '' : ` (${CASSANDRA_MISSING})`}`,
  () => {
    const home = process.cwd()
    let folder = ''
    let source: TestKeyspace
    let target: TestKeyspace
    const log = (): string => readFileSync(path.join(folder, 'migrator.log'), 'utf8')

    beforeEach(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'sluice-script-'))
      process.chdir(folder)
      source = await newKeyspace()
      target = await newKeyspace()
    }, 120_000)
    afterEach(async () => {
      process.chdir(home)
      await source[Symbol.asyncDispose]()
      await target[Symbol.asyncDispose]()
      rmSync(folder, { recursive: true, force: true })
    })

    /** Partitions of several rows each, one of them wider than a batch. */
    async function events(keyspace: TestKeyspace): Promise<number> {
      await keyspace.cql(
        'CREATE TABLE events (tenant text, created_at timestamp, body text, PRIMARY KEY (tenant, created_at))',
      )
      let rows = 0
      for (let tenant = 0; tenant < 40; tenant++) {
        const most = tenant === 0 ? 230 : 3 + (tenant % 5)
        for (let at = 0; at < most; at++, rows++) {
          await keyspace.link.client.execute(
            'INSERT INTO events (tenant, created_at, body) VALUES (?, ?, ?)',
            [`tenant ${tenant}`, new Date(1_700_000_000_000 + at), `é ${at}`],
            { prepare: true },
          )
        }
      }
      return rows
    }

    async function contents(keyspace: TestKeyspace): Promise<readonly string[]> {
      const rows = await keyspace.rows('SELECT tenant, created_at, body, writetime(body) AS w FROM events')
      return rows.map((row) => JSON.stringify(row.values().map(String))).toSorted()
    }

    test("copies with the script's defaults, reports them, and also writes migrator.log", async () => {
      const rows = await events(source)
      writeFileSync(SETTINGS, DEFAULTS)
      const words = ['copy', '--from', source.url, '--to', target.url, '--table', 'events', '--settings', SETTINGS]
      const { code, err } = await sluice(...words)
      expect(err).toContain('5 workers, batches of 50 rows, pages of 100')
      expect(err).toMatch(new RegExp(`ok\\s+${source.name}\\.events\\s+success, ${rows} rows ok, 0 failed, 0 at ONE`))
      expect(code).toBe(0)
      expect(await contents(target)).toEqual(await contents(source))
      expect(log()).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {4}start/)
      expect(log()).toMatch(/INFO .*chunk \d+ done: .* rows .* in .* s.*worker \d/)
      expect(log()).toContain('summary: 1 of 1 table ok')
      const first = log().length
      const again = await sluice(...words)
      expect(again.code).toBe(0)
      expect(again.err).toContain('nothing was left to do')
      expect(log().length).toBeGreaterThan(first)
    }, 120_000)

    test('a row that cannot be stored is named, and all others are copied', async () => {
      const sqlite = await makePlace('sqlite', folder)
      await sqlite.sql(
        'CREATE TABLE notes (tenant INTEGER, note TEXT, body TEXT, PRIMARY KEY (tenant, note)) STRICT',
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
         INSERT INTO notes SELECT i % 7, 'note ' || i, 'body ' || i FROM n`,
        // A part of a key can have at most 65,535 bytes.
        `INSERT INTO notes VALUES (3, 'long ' || printf('%.70000c', 'x'), 'too long')`,
      )
      await target.cql('CREATE TABLE notes (tenant bigint, note text, body text, PRIMARY KEY (tenant, note))')
      writeFileSync(SETTINGS, '# from before there were settings for speed\nLOG_LEVEL: INFO\nPASSWORD: geheim99\n')
      const words = ['copy', '--from', sqlite.url, '--to', target.url, '--table', 'notes', '--settings', SETTINGS]
      const { code, events: reported } = await sluice(...words, '--json')
      expect(code).toBe(1)
      expect((await target.rows('SELECT note FROM notes')).length).toBe(300)
      const aside = reported.filter((event) => event.type === 'row.aside')
      expect(aside.length).toBeGreaterThan(0)
      expect(aside[0]).toMatchObject({ table: expect.stringContaining('notes') as string, error: { retryable: false } })
      const summary = reported.find((event) => event.type === 'copy.summary')
      expect(summary?.tables[0]).toMatchObject({
        status: 'failed',
        written: '300',
        failed: '1',
        error: { code: 'ROWS_ASIDE' },
      })
      expect(
        reported.some(
          (event) => event.type === 'log' && event.level === 'warn' && /LOG_LEVEL, PASSWORD/.test(event.message),
        ),
      ).toBe(true)
      expect(log()).toMatch(/ERROR .*notes row failed: tenant 3, note long x+.*\(not recoverable\)/)
      expect(log()).not.toContain('geheim99')
      expect(reported.at(-1)).toMatchObject({ type: 'run.finished', exitCode: 1 })
    }, 120_000)

    test('rows written at ONE only are reported, listed, and checked again when a higher level is available', async () => {
      const rows = await events(source)
      await source.cql(
        'CREATE TABLE other (id int PRIMARY KEY, v text)',
        ...[1, 2, 3].map((id) => `INSERT INTO other (id, v) VALUES (${id}, 'v ${id}')`),
      )
      // Two replicas with one server: no quorum. The ledger stays in a keyspace with one replica.
      await using short = await newKeyspace({
        replication: "{'class': 'SimpleStrategy', 'replication_factor': 2}",
      })
      writeFileSync(SETTINGS, DEFAULTS)
      const ends = ['--from', source.url, '--to', target.url]
      const copy = ['copy', ...ends, '--to-schema', short.name, '--tables', 'events,other', '--settings', SETTINGS]
      const { code, events: reported } = await sluice(...copy, '--json')
      expect(code).toBe(0)
      expect(await contents(short)).toEqual(await contents(source))
      const weak = reported.flatMap((event) => (event.type === 'rows.fallback' ? event.keys : []))
      expect(new Set(weak.map((key) => JSON.stringify(key))).size).toBe(rows + 3)
      const summary = reported.find((event) => event.type === 'copy.summary')
      expect(summary?.tables.map(({ written, fallback }) => [written, fallback])).toEqual([
        [String(rows), String(rows)],
        ['3', '3'],
      ])
      expect(log()).toMatch(
        /WARNING .*events row written at ONE only, to be checked again: partition tenant tenant 7; row created_at 2023-/,
      )
      expect(log()).toContain(`${rows + 3} rows could only be written at ONE: sluice quarantine retry`)

      const early = await sluice('retry-quarantine', ...ends, '--json')
      expect(early.code).not.toBe(0)

      await short.cql(
        `ALTER KEYSPACE ${short.name} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`,
      )
      // As if the only replica that had stored them was lost.
      await short.cql('TRUNCATE other')
      const checked = await sluice('retry-quarantine', ...ends, '--json')
      expect(checked.events.at(-1)).toMatchObject({
        exitCode: 0,
        totals: { rechecked: String(rows + 3), written: '3', quarantined: '0' },
      })
      expect(await contents(short)).toEqual(await contents(source))
      expect((await short.rows('SELECT id FROM other')).length).toBe(3)
      const again = await sluice('retry-quarantine', ...ends, '--json')
      expect(again.events.at(-1)).toMatchObject({ exitCode: 0, totals: { read: '0' } })
    }, 120_000)

    test('the summary of a resumed run includes the rows of an earlier run', async () => {
      const rows = await events(source)
      await target.cql(
        'CREATE TABLE events (tenant text, created_at timestamp, body text, PRIMARY KEY (tenant, created_at))',
      )
      const operation: CopyOperation = {
        ...copyBetween(source.url, target.url, ['events'], { onExisting: 'upsert', workers: 1, ring: { splits: 16 } }),
        script: {},
      }
      const interrupter = new Interrupter()
      const first = await perform(operation, {
        interrupt: interrupter,
        onEvent: (event) => {
          // Ranges are taken from all over the ring, and some are empty.
          if (event.type === 'chunk.done' && event.written !== '0') interrupter.requestStop()
        },
      })
      expect(first.finished.exitCode).toBe(75)
      const second = await perform(operation)
      const summed = second.events.flatMap((event) => (event.type === 'copy.summary' ? event.tables : []))
      const [{ written, earlier = '0', failed } = { written: '', failed: '' }] = summed
      expect({ sum: Number(written) + Number(earlier), failed }).toEqual({ sum: rows, failed: '0' })
      expect(Number(earlier)).toBeGreaterThan(0)
      expect((await target.rows('SELECT tenant FROM events')).length).toBe(rows)
      const third = await perform(operation)
      expect(third.events.find(({ type }) => type === 'copy.summary')).toMatchObject({
        tables: [{ written: '0', earlier: String(rows) }],
      })
    })

    test('a preset works without a settings file, and a plan writes no log', async () => {
      const rows = await events(source)
      const words = ['copy', '--from', source.url, '--to', target.url, '--table', 'events', '--preset', 'auto']
      const plan = await sluice(...words, '--dry-run')
      expect(plan.code).toBe(0)
      expect(existsSync(path.join(folder, 'migrator.log'))).toBe(false)
      const { code, events: reported } = await sluice(...words, '--json')
      expect(code).toBe(0)
      expect(
        reported.some((event) => event.type === 'log' && /^preset \w+, because the largest table/.test(event.message)),
      ).toBe(true)
      expect((await contents(target)).length).toBe(rows)
    }, 120_000)
  },
)

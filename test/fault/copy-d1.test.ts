/**
 * Copies into D1 while requests fail repeatedly in every way of the API and the network, above all after they were
 * executed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ALL } from '../support/backend.ts'
import { ledgerProblems } from '../support/copy-ledger.ts'
import { copyOf, makePlace, perform, type Place } from '../support/copy-systems.ts'
import { d1Account, type D1Account } from '../support/servers/d1-account.ts'
import { d1Base } from '../support/servers/d1-kit.ts'
import type { D1Fault } from '../support/servers/d1-faults.ts'
import { D1_AVAILABLE, D1_MISSING } from '../support/servers/d1.ts'
import { expectDone, of, startCopy, untilFrozen, type Copied } from './copy-kit.ts'

const ROWS = 300
const SELECT = 'SELECT id, name FROM t ORDER BY id'

const KINDS: readonly D1Fault[] = [
  { kind: 'lost' },
  { kind: 'after', status: 502 },
  { kind: 'cut' },
  { kind: 'half' },
  { kind: 'status', status: 503 },
  { kind: 'status', status: 429, code: 971, headers: { 'Retry-After': '0' } },
  { kind: 'later', ms: 20 },
  { kind: 'slow', ms: 5 },
]

describe.skipIf(!D1_AVAILABLE)(`D1 under faults${D1_MISSING === '' ? '' : ` (skipped: ${D1_MISSING})`}`, () => {
  let folder = ''
  let source: Place
  let account: D1Account

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-copy-d1-'))
    account = d1Account(await d1Base())
    Object.assign(process.env, account.environment)
    source = await makePlace('sqlite', folder)
    await source.sql(
      'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)',
      'CREATE TABLE long (id INTEGER PRIMARY KEY, name TEXT)',
      'CREATE TABLE keyless (id INTEGER, name TEXT)',
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) INSERT INTO t SELECT i * 2, 'row ' || i FROM n`,
      'INSERT INTO keyless SELECT id % 7, name FROM t',
      // Several requests per chunk.
      'INSERT INTO long SELECT id, hex(zeroblob(90000)) FROM t LIMIT 50',
      // Without a key, in two requests.
      'CREATE TABLE twice (id INTEGER, name TEXT)',
      'INSERT INTO twice SELECT id, hex(zeroblob(450000)) || id FROM t LIMIT 7',
      'CREATE TABLE refused (id INTEGER, name TEXT)',
      "INSERT INTO refused SELECT id, iif(id = 12, x'00', name) FROM twice",
      'CREATE TABLE nulls (k TEXT PRIMARY KEY, id INTEGER, name TEXT)',
      'INSERT INTO nulls SELECT NULL, id, name FROM refused',
    )
  })
  afterEach(() => account?.faults())
  afterAll(async () => {
    await account?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  async function room(table = 't', chunkRows = 100): Promise<Copied> {
    const database = await account.database()
    const target: Place = {
      system: 'd1',
      url: database.url,
      sql: async (...statements) => void (await database.sql(...statements)),
      rows: async (query) =>
        (await database.sql(query)).map((row) =>
          row.map((value) => (value == null ? null : String(value as string | number))),
        ),
    }
    const copy = copyOf(source, target, table, { chunkRows })
    return { copy, source, target, table, select: SELECT.replace(' t ', ` ${table} `) }
  }

  /** Many requests meet a fault, but never so many in a row that the copy gives up. */
  async function always(faults: readonly D1Fault[], first: number): Promise<void> {
    const some = Array.from({ length: 25 }, () => faults).flat()
    await account.faults(...some.map((fault, i) => ({ ...fault, skip: i === 0 ? first : 1 + (i % 2) })))
  }

  const BROKEN = KINDS.filter(({ status }) => status !== 429)
  const RUNS: readonly (readonly [string, number, readonly D1Fault[]])[] = [
    ...[0, 1, 2].map((first) => ['in every way in turns', first, BROKEN] as const),
    ...KINDS.map((fault) => [`only ${fault.kind} ${fault.status ?? ''}`, 20, [fault]] as const),
  ]

  // The refusal for too many requests slows the copy down, so it has its own run.
  test.for(RUNS.filter(([name], i) => i < 1 || name.includes('429') || ALL))(
    'a copy completes although requests fail: %s, from the one after %i on',
    { timeout: 60_000 },
    async ([, first, faults]) => {
      const done = await room()
      await account.reset()
      await always(faults, first)
      const { finished, events } = await perform(done.copy)
      await account.faults()
      expect(finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS), quarantined: '0' } })
      expect(of(events, 'chunk.failed')).toEqual([])
      expect((await account.counts()).requests).toBeGreaterThan(20)
      await expectDone(done)
    },
  )

  test(
    'retries are logged, and an undocumented answer of D1 is not reported as a bug',
    { timeout: 60_000 },
    async () => {
      const done = await room()
      await account.faults({ kind: 'status', status: 503, match: 'INTO \\\\"t\\\\"', count: 3 })
      const { finished, events } = await perform(done.copy)
      expect(finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      expect(of(events, 'log').filter(({ level }) => level === 'warn')).toMatchObject([
        {
          message: expect.stringMatching(/^a request fails: Service temporarily unavailable; try 2 follows/) as string,
        },
      ])
      await expectDone(done)

      const other = await room()
      const fault = { kind: 'status', status: 400, code: 7500, match: 'INSERT INTO migration_plans' } as const
      await account.faults({ ...fault, message: 'D1_ERROR: a new word' })
      expect((await perform(other.copy)).finished).toMatchObject({
        exitCode: 4,
        error: { code: 'TARGET_IO', reason: 'D1_ERROR: a new word; D1 does not document this answer' },
      })
      await account.faults({ ...fault, message: 'D1_ERROR: out of memory' })
      expect((await perform(other.copy)).finished).toMatchObject({ exitCode: 4, error: { code: 'CONNECTION_LOST' } })
      // A temporary error is retried.
      await account.faults({ ...fault, message: 'D1_ERROR: database is locked: SQLITE_BUSY' })
      expect((await perform(other.copy)).finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      await expectDone(other)
    },
  )

  test.for(['long', 'keyless'] as const)(
    'a copy completes if answers are lost after the rows of %s were stored, and requests arrive late',
    { timeout: 60_000 },
    async (table) => {
      const done = await room(table, 25)
      const match = `INTO \\\\"${table}\\\\"`
      // A late request is retried, so both arrive.
      await always(
        [
          { kind: 'lost', match },
          { kind: 'later', ms: 20, match },
        ],
        0,
      )
      const { finished } = await perform(done.copy)
      expect(finished).toMatchObject({ exitCode: 0, totals: { written: table === 'long' ? '50' : String(ROWS) } })
      await account.faults()
      await expectDone({ ...done, select: `SELECT id, name FROM ${table} ORDER BY name, id` })
    },
  )

  const COUNTS = 'SELECT count(*), count(DISTINCT id) FROM '

  test('a row of the second request of a table without a key is refused: no row is stored twice', async () => {
    for (const [table, prepared] of [
      ['refused', []],
      ['nulls', ['CREATE TABLE nulls (k TEXT PRIMARY KEY, id INTEGER, name TEXT)']],
      ['twice', ['CREATE TABLE twice (id INTEGER, name TEXT CHECK (id <> 12))']],
    ] as const) {
      const done = await room(table, 500)
      if (prepared.length > 0) await done.target.sql(...prepared)
      for (let run = 1; run <= 2; run++) {
        expect((await perform(done.copy)).finished).toMatchObject({
          error: { code: 'ROWS_ASIDE' },
          totals: { read: '7', written: '6', quarantined: '1' },
        })
        expect(await done.target.rows(COUNTS + table)).toEqual([['6', '6']])
      }
    }
  })

  test('a chunk without a key in which rows were refused is compared as a whole', async () => {
    const done = await room('refused', 500)
    await done.target.sql(
      'CREATE TABLE refused (id INTEGER, name TEXT)',
      'CREATE TRIGGER gone AFTER INSERT ON refused WHEN new.id = 2 BEGIN DELETE FROM refused WHERE id = 2; END',
    )
    const { finished } = await perform(done.copy)
    expect(finished.error?.code).toBe('PROOF_FAILED')
  })

  test('the second request of a table without a key fails once, and is sent again', async () => {
    const done = await room('twice', 500)
    await account.faults({ kind: 'status', status: 503, match: 'INTO \\\\"twice\\\\"', skip: 1 })
    const { finished } = await perform({ ...done.copy, verify: 'none' })
    expect(finished).toMatchObject({ exitCode: 0, totals: { written: '7' } })
    expect(await done.target.rows(COUNTS + 'twice')).toEqual([['7', '7']])
  })

  test('a chunk without a key that failed after its first request is not continued', async () => {
    const done = await room('twice', 500)
    const message = 'out of memory: SQLITE_NOMEM'
    await account.faults({ kind: 'status', status: 400, code: 7500, message, match: 'INTO \\\\"twice\\\\"', skip: 1 })
    const { finished, events } = await perform(done.copy)
    expect(of(events, 'chunk.retried')).toMatchObject([{ error: { code: 'CONNECTION_LOST' } }])
    expect(finished.error).toMatchObject({
      code: 'CHUNKS_FAILED',
      hint: expect.stringContaining('from the beginning') as string,
    })
    expect((await perform(done.copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '7' } })
    expect(await done.target.rows(COUNTS + 'twice')).toEqual([['7', '7']])
  })

  test('a chunk that an older version left in the middle is copied from the beginning', async () => {
    const done = await room('twice', 500)
    await account.faults({ kind: 'mute', match: 'INTO \\\\"twice\\\\"', skip: 1 })
    const child = startCopy({ ...done.copy, workers: 1 })
    const stored = (): Promise<readonly unknown[]> => done.target.rows(COUNTS + 'twice').catch(() => [])
    await expect.poll(stored, { timeout: 20_000 }).toEqual([['7', '7']])
    child.process.kill('SIGKILL')
    await account.faults()
    await child.ended
    await done.target.sql(
      'INSERT INTO twice SELECT * FROM twice LIMIT 2',
      "UPDATE migration_checkpoints SET cursor_key = '[]', rows_written = 9",
    )
    expect((await perform(done.copy)).finished).toMatchObject({ exitCode: 0, totals: { written: '7' } })
    expect(await done.target.rows(COUNTS + 'twice')).toEqual([['7', '7']])
  })

  test('rows that an older version stored twice are found', async () => {
    const done = await room('refused', 500)
    await perform(done.copy)
    await done.target.sql(
      'INSERT INTO refused SELECT * FROM refused LIMIT 2',
      "UPDATE migration_checkpoints SET cursor_key = '[]'",
    )
    expect((await perform(done.copy)).finished.error).toMatchObject({
      code: 'COUNTS_DIFFER',
      hint: expect.stringContaining("empty the target's table and copy it again with --restart, or accept") as string,
    })
    await done.target.sql('DELETE FROM refused')
    expect((await perform({ ...done.copy, restart: true })).finished.error?.code).toBe('ROWS_ASIDE')
    expect(await done.target.rows(COUNTS + 'refused')).toEqual([['6', '6']])
  })

  test('rows are quarantined once, whichever answers are lost', { timeout: 60_000 }, async () => {
    const done = await room()
    await done.target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT CHECK (id % 194 <> 0))')
    await always([{ kind: 'lost' }], 1)
    const copy = { ...done.copy, onExisting: 'upsert' as const }
    const { finished } = await perform(copy)
    expect(finished).toMatchObject({
      exitCode: 1,
      error: { code: 'ROWS_ASIDE' },
      totals: { read: String(ROWS), written: String(ROWS - 3), quarantined: '3' },
    })
    await account.faults()
    expect(await done.target.rows('SELECT row_key FROM migration_quarantine ORDER BY row_key')).toEqual([
      ['["194"]'],
      ['["388"]'],
      ['["582"]'],
    ])
    expect(await ledgerProblems(done.target, 't', ROWS - 3)).toEqual([])
    // If the guide's UPDATE resets a chunk, its quarantined rows are not counted twice.
    await done.target.sql(
      'CREATE TABLE whole (id INTEGER PRIMARY KEY, name TEXT)',
      'INSERT INTO whole SELECT * FROM t',
      'DROP TABLE t',
      'ALTER TABLE whole RENAME TO t',
      "UPDATE migration_checkpoints SET status = 'pending', cursor_key = NULL",
    )
    const again = await perform(copy)
    expect(again.finished).toMatchObject({
      exitCode: 0,
      totals: { read: String(ROWS), written: String(ROWS), quarantined: '0' },
    })
  })

  test(
    'quarantined rows stay recorded, however late a request arrives that closes older entries',
    { timeout: 60_000 },
    async () => {
      const done = await room('t', 2 * ROWS)
      await done.target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT CHECK (id % 194 <> 0))')
      const copy = { ...done.copy, onExisting: 'upsert' as const }
      const waiting = (): Promise<unknown> =>
        done.target.rows('SELECT row_key FROM migration_quarantine WHERE replayed_ms IS NULL ORDER BY row_key')
      const three = [['["194"]'], ['["388"]'], ['["582"]']]
      expect((await perform(copy)).finished).toMatchObject({ totals: { quarantined: '3' } })
      expect(await waiting()).toEqual(three)
      await done.target.sql("UPDATE migration_checkpoints SET status = 'pending', cursor_key = NULL")
      await account.faults({ kind: 'later', ms: 4000, match: 'SET replayed_ms' })
      const { finished } = await perform(copy)
      expect(finished).toMatchObject({ error: { code: 'ROWS_ASIDE' }, totals: { quarantined: '3' } })
      await new Promise((passed) => setTimeout(passed, 4500))
      expect(await waiting()).toEqual(three)
      expect((await perform(copy)).finished).toMatchObject({
        error: { code: 'ROWS_ASIDE' },
        totals: { quarantined: '3' },
      })
    },
  )

  const INTO_T = 'INTO \\\\"t\\\\"'
  // `killed`: the row is stored, and the request that closes its entry never arrives.
  const RETRIES: readonly (readonly [string, D1Fault, string | undefined])[] = [
    ['not sent', { kind: 'status', status: 503, match: INTO_T }, undefined],
    ['lost', { kind: 'lost', match: INTO_T }, undefined],
    ['killed', { kind: 'status', status: 403, code: 10000, match: 'SET replayed_ms' }, 'TARGET_DENIED'],
  ]
  test.for(RETRIES)(
    'a retried row is in the target and counted once: %s',
    { timeout: 60_000 },
    async ([, fault, code]) => {
      const done = await room()
      await done.target.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT CHECK (id <> 194))')
      expect((await perform(done.copy)).finished).toMatchObject({ totals: { quarantined: '1' } })
      await done.target.sql(
        'CREATE TABLE whole (id INTEGER PRIMARY KEY, name TEXT)',
        'INSERT INTO whole SELECT * FROM t',
        'DROP TABLE t',
        'ALTER TABLE whole RENAME TO t',
      )
      const retry = { kind: 'retry-quarantine', from: done.source.url, to: done.target.url } as const
      await account.faults(fault)
      expect((await perform(retry)).finished.error?.code).toBe(code)
      await account.faults()
      if (code !== undefined)
        expect((await perform(retry)).finished).toMatchObject({ exitCode: 0, totals: { written: '1' } })
      expect((await perform(done.copy)).finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      await expectDone(done)
    },
  )

  test(
    'the program is killed while it writes, and the next one continues after its cursor',
    { timeout: 60_000 },
    async () => {
      const done = await room('long', 25)
      // The second request of a chunk never gets an answer.
      await account.faults({ kind: 'mute', match: 'INTO \\\\"long\\\\"', skip: 1 })
      const child = startCopy({ ...done.copy, workers: 1 })
      const stored = (): Promise<readonly unknown[]> => done.target.rows('SELECT COUNT(*) FROM long').catch(() => [])
      await expect.poll(stored, { timeout: 20_000 }).toEqual([['25']])
      child.process.kill('SIGKILL')
      await account.faults()
      expect((await child.ended).signal).toBe('SIGKILL')
      const again = await perform({ ...done.copy, chunkRows: 10 })
      expect(again.finished).toMatchObject({ exitCode: 0, totals: { written: '50' } })
      await expectDone(done)
    },
  )

  // Without a key, nothing but the ledger prevents rows from being stored twice.
  const FREEZES = [
    ['before it stores rows', 'keyless', 25, 1, 2],
    ['before it stores rows', 'long', 25, 1, 2],
    ['between two requests of a chunk', 'long', 60, 0, 2],
    ['before it closes a chunk', 'keyless', 25, 1, 1],
  ] as const
  test.for(ALL ? FREEZES : FREEZES.slice(0, 2))(
    'the program is frozen %s of %s until its lease has expired, and writes nothing twice later',
    { timeout: 60_000 },
    async ([, table, chunkRows, chunk, ahead]) => {
      const done = await room(table, chunkRows)
      const rows = table === 'long' ? '50' : String(ROWS)
      const { steps } = await startCopy({ ...(await room(table, chunkRows)).copy, workers: 1 }).ended
      const step = (steps.flatMap((kind, i) => (kind === 'close' ? [i + 1] : []))[chunk] ?? 0) - ahead
      const frozen = startCopy(
        { ...done.copy, workers: 1 },
        { host: 'elsewhere', leaseMs: 900, isSilent: true, step, when: 'frozen' },
      )
      await untilFrozen(frozen)
      const other = await startCopy(done.copy, { leaseMs: 900 }).ended
      expect(other.finished).toMatchObject({ exitCode: 0, totals: { written: rows } })
      frozen.process.kill('SIGCONT')
      const { finished, events } = await frozen.ended
      expect(finished).toMatchObject({ exitCode: 0, totals: { written: rows, quarantined: '0' } })
      expect(of(events, 'chunk.failed')).toEqual([])
      await expectDone({ ...done, select: `SELECT id, name FROM ${table} ORDER BY name, id` })
    },
  )

  test.for([
    ['refuses', { status: 403, code: 10000, message: 'Authentication error' }, 'TARGET_DENIED'],
    ['has no more room', { status: 400, code: 7500, message: 'Exceeded maximum DB size' }, 'NO_SPACE'],
  ] as const)(
    'the service %s: the run reports it, and the next run does the rest',
    { timeout: 60_000 },
    async ([, refused, code]) => {
      const done = await room()
      await account.faults({ kind: 'status', ...refused, skip: 44, count: 500 })
      const first = await startCopy(done.copy).ended
      expect(first.finished).toMatchObject({
        exitCode: 4,
        status: 'failed',
        resumeCommand: 'sluice copy',
        error: { code },
      })
      await account.faults()
      expect((await perform(done.copy)).finished).toMatchObject({ exitCode: 0, totals: { written: String(ROWS) } })
      await expectDone(done)
    },
  )
})

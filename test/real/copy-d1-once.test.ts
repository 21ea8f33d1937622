/** Each row is stored once, despite failed requests and lost replies, and a worker without its claim stores nothing. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Row } from '../../src/model/copy/rows.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { D1Client } from '../../src/stores/d1/client.ts'
import { Inserts } from '../../src/stores/d1/copy/insert.ts'
import { d1Statement, d1Guard } from '../../src/stores/d1/copy/statements.ts'
import { d1Settings } from '../../src/stores/d1/settings.ts'
import type { D1Fault } from '../support/servers/d1-faults.ts'
import { D1_AVAILABLE, D1_MISSING } from '../support/servers/d1.ts'
import {
  chunkOf,
  d1Base,
  d1Stage,
  freeBudget,
  LEDGER_DDL,
  NEVER,
  tableFor,
  TestClaim,
  type D1Stage,
  type TestChunk,
} from '../support/servers/d1-kit.ts'

/** Short timeouts for these tests. */
const RULE = { answerMs: 250, repeatMs: 5_000 }

const FAULTS: readonly D1Fault[] = [
  { kind: 'status', status: 503 },
  { kind: 'status', status: 500, code: 7500, message: 'internal error; reference = e_1' },
  { kind: 'status', status: 400, code: 7500, message: 'D1 DB is overloaded. Requests queued for too long.' },
  { kind: 'status', status: 429, code: 971, headers: { 'Retry-After': '0' } },
  { kind: 'after', status: 502 },
  { kind: 'cut' },
  { kind: 'later', ms: 60 },
  { kind: 'lost' },
  { kind: 'half' },
  { kind: 'mute' },
  { kind: 'slow', ms: 30 },
]

const begun = (chunk: TestChunk, cursor: string | null): TestChunk => ({ ...chunk, cursor })

describe.skipIf(!D1_AVAILABLE)(`D1 batches happen once${D1_MISSING === '' ? '' : ` (${D1_MISSING})`}`, () => {
  let stage: D1Stage
  beforeAll(async () => {
    stage = await d1Stage(await d1Base(), { rule: RULE })
    await stage.database.sql(LEDGER_DDL)
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  let made = 0
  /** A table without a key, where a row stored twice would stay, and a claimed chunk. */
  async function keyless(): Promise<{ readonly chunk: TestChunk; readonly claim: TestClaim; readonly name: string }> {
    const name = `keyless_${++made}`
    const table = tableFor(stage.store, name, { id: { kind: 'int', bits: 64 }, v: { kind: 'text' } }, [])
    await stage.store.target().create(table, NEVER)
    const claim = new TestClaim(made, 'me', 1)
    await stage.database.sql(claim.taken)
    return { chunk: chunkOf(table, { range: { by: 'all' } }), claim, name }
  }

  /** Copies as the engine does: after a temporary failure it resumes at the position that the ledger has. */
  async function copyAll(chunk: TestChunk, claim: TestClaim, batches: readonly (readonly Row[])[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const [[cursor, status] = []] = await stage.database.sql(
        `SELECT cursor_key, status FROM chunks WHERE id = ${claim.id}`,
      )
      if (status === 'completed') return
      claim.cursor = typeof cursor === 'string' ? cursor : null
      const done = claim.cursor === null ? 0 : Number(claim.cursor) + 1
      try {
        await using writer = await stage.store.target().open(begun(chunk, claim.cursor))
        for (const [i, rows] of batches.entries()) {
          if (i < done) continue
          await writer.write(rows, claim.step(String(i), rows.length))
          claim.cursor = String(i)
        }
        expect(await writer.commit(claim.closing())).toBe('committed')
        return
      } catch (error) {
        if (!(error instanceof SluiceError) || !error.retryable || attempt > 5) throw error
      }
    }
  }

  async function expectAll(name: string, claim: TestClaim, batches: readonly (readonly Row[])[]): Promise<void> {
    const rows = batches.flat()
    expect(await stage.database.sql(`SELECT CAST(id AS TEXT), v FROM ${name} ORDER BY id, v`)).toEqual(
      rows.toSorted((a, b) => Number(a[0]) - Number(b[0])),
    )
    const state = await stage.database.sql(`SELECT status, stored, cursor_key FROM chunks WHERE id = ${claim.id}`)
    expect(state).toEqual([['completed', rows.length, String(batches.length - 1)]])
  }

  const batchesOf = (count: number, size: number): readonly (readonly Row[])[] =>
    Array.from({ length: count }, (_, b) =>
      Array.from({ length: size }, (__, i): Row => [String(b * size + i), `row ${i}`]),
    )

  for (const fault of FAULTS) {
    test(`one ${fault.kind}${fault.status === undefined ? '' : ` ${fault.status}`} at any request`, async () => {
      for (let skip = 0; skip < 3; skip++) {
        const { chunk, claim, name } = await keyless()
        const batches = batchesOf(2, 7)
        await stage.account.faults({ ...fault, skip })
        await copyAll(chunk, claim, batches)
        await stage.account.faults()
        await expectAll(name, claim, batches)
      }
    })
  }

  test('each row is stored once with any faults in any order', async () => {
    const some = fc.array(fc.tuple(fc.constantFrom(...FAULTS), fc.nat(2)), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(some, fc.integer({ min: 1, max: 4 }), async (faults, count) => {
        const { chunk, claim, name } = await keyless()
        const batches = batchesOf(count, 5)
        await stage.account.faults(...faults.map(([fault, skip]) => ({ ...fault, skip })))
        await copyAll(chunk, claim, batches)
        await stage.account.faults()
        await expectAll(name, claim, batches)
      }),
      { numRuns: 5 },
    )
  })

  test('a worker that resumes late stores nothing', async () => {
    const { chunk, claim, name } = await keyless()
    await using late = await stage.store.target().open(chunk)
    await late.write([['1', 'mine']], claim.step('0', 1))
    const successor = new TestClaim(claim.id, 'other', 2)
    await stage.database.sql(successor.taken)
    claim.cursor = '0'
    await expect(late.write([['2', 'late']], claim.step('1', 1))).rejects.toMatchObject({ code: 'LEASE_LOST' })
    expect(await late.commit(claim.closing())).toBe('fenced')
    successor.cursor = '0'
    await using writer = await stage.store.target().open(begun(chunk, '0'))
    await writer.write([['2', 'successor']], successor.step('1', 1))
    await expect(late.write([['3', 'late']], claim.step('2', 1))).rejects.toMatchObject({ code: 'LEASE_LOST' })
    expect(await writer.commit(successor.closing())).toBe('committed')
    expect(await stage.database.sql(`SELECT v FROM ${name} ORDER BY id`)).toEqual([['mine'], ['successor']])
  })

  test('a request that is executed after the next owner has begun stores nothing', async () => {
    const { chunk, claim, name } = await keyless()
    const dead = new D1Client(d1Settings(stage.database.url, stage.account.environment), { budget: freeBudget() })
    const step = claim.step('0', 1)
    const inserts = new Inserts(chunk.table, chunk.columns, { onConflict: 'fail' }).of([['1', 'dead']])
    await stage.account.faults({ kind: 'later', ms: 200 })
    const sent = dead.once([d1Guard(step.guard), ...inserts, d1Statement(step.advance)], { signal: NEVER })
    await expect(sent).rejects.toMatchObject({ kind: 'network', settled: false })
    const successor = new TestClaim(claim.id, 'other', 2)
    await stage.database.sql(successor.taken)
    await using writer = await stage.store.target().open(chunk)
    await writer.write([['1', 'successor']], successor.step('0', 1))
    await new Promise((done) => setTimeout(done, 300))
    expect(await stage.database.sql(`SELECT v FROM ${name}`)).toEqual([['successor']])
  })

  test('an error for invalid JSON in rows is not mistaken for a lost claim', async () => {
    const { claim } = await keyless()
    await stage.database.sql('CREATE TABLE checked (id INTEGER PRIMARY KEY, doc JSON_TEXT, part AS (json(doc)) STORED)')
    const table = (await stage.store.tables('checked', NEVER))[0]
    if (table === undefined) throw new Error('no table')
    const columns = chunkOf(table)
      .columns.filter(({ name }) => name !== 'part')
      .map((column) => ({ ...column, as: { kind: 'text' } as const }))
    await using writer = await stage.store.target().open(chunkOf(table, { columns }))
    await expect(writer.write([['1', 'no json']], claim.step('0', 1))).rejects.toMatchObject({
      code: 'ROW_REFUSED',
      message: 'malformed JSON',
    })
    expect(await writer.write([['1', '{}']], claim.step('0', 1))).toBe(1)
  })

  test('without a cursor a lost reply is reported as unknown, unless the request had no effect', async () => {
    const { chunk, name } = await keyless()
    await using plain = await stage.store.target().open(chunk)
    await stage.account.faults({ kind: 'lost', match: name })
    await expect(plain.write([['1', 'x']])).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN', retryable: false })
    await stage.account.faults({ kind: 'cut', match: name })
    await expect(plain.write([['1', 'x']])).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN' })
    await stage.account.faults({ kind: 'status', status: 429, headers: { 'retry-after': '0' }, match: name })
    expect(await plain.write([['1', 'x']])).toBe(1)
    const table = tableFor(stage.store, `keyed_${made}`, { id: { kind: 'int', bits: 64 }, v: { kind: 'text' } }, ['id'])
    await stage.account.faults({ kind: 'lost', match: 'CREATE TABLE' }, { kind: 'cut', match: 'CREATE TABLE' })
    await stage.store.target().create(table, NEVER)
    await using upserts = await stage.store.target().open(chunkOf(table, { onExisting: 'upsert' }))
    await stage.account.faults({ kind: 'lost', match: 'INSERT' })
    expect(
      await upserts.write([
        ['1', 'x'],
        ['2', 'y'],
      ]),
    ).toBe(2)
    await stage.account.faults()
  })

  test('reads and the ledger continue in spite of faults', async () => {
    const { store, account, database } = stage
    await database.sql(
      'CREATE TABLE source (id INTEGER PRIMARY KEY, v TEXT)',
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) INSERT INTO source SELECT i, 'v' || i FROM n`,
    )
    const [table] = await store.tables('source', NEVER)
    if (table === undefined) throw new Error('no table')
    await using view = await store.source(NEVER)
    const request = {
      table,
      columns: chunkOf(table).columns,
      range: { by: 'all' },
      where: null,
      ordered: true,
    } as const
    const quiet = await view.digest(request, NEVER)
    await account.faults(
      { kind: 'cut' },
      { kind: 'half', skip: 1 },
      { kind: 'lost', skip: 2 },
      { kind: 'after', status: 502, skip: 3 },
    )
    expect(await view.digest(request, NEVER)).toEqual(quiet)
    expect(quiet.rows).toBe(4000n)
    await using ledger = await store.ledger()
    await account.faults({ kind: 'lost' }, { kind: 'cut' })
    expect(
      await ledger.batch([
        { sql: 'CREATE TABLE IF NOT EXISTS notes (n INTEGER, t TEXT, b)', parameters: [] },
        { sql: 'SELECT 1', parameters: [] },
      ]),
    ).toEqual([[], [[1]]])
    await ledger.batch([
      { sql: 'DELETE FROM notes', parameters: [] },
      { sql: 'INSERT INTO notes VALUES (?, ?, ?)', parameters: [1704067200000000001n, 'x', null] },
    ])
    expect(await ledger.all('SELECT CAST(n AS TEXT), t, b FROM notes WHERE n = ?', [1704067200000000001n])).toEqual([
      ['1704067200000000001', 'x', null],
    ])
    await expect(
      ledger.batch([
        { sql: 'INSERT INTO notes VALUES (2, NULL, NULL)', parameters: [] },
        { sql: 'nonsense', parameters: [] },
      ]),
    ).rejects.toThrow('syntax error')
    expect(await ledger.all('SELECT COUNT(*) FROM notes')).toEqual([[1]])
    await expect(ledger.batch([{ sql: 'CREATE TABLE notes (n)', parameters: [] }])).rejects.toThrow('already exists')
    await account.faults()
  })
})

/**
 * Claims of chunks: each chunk is claimed once, in the requested order, and a released chunk is found again; by
 * indexes, on every system.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ChunkLedger } from '../../src/engine/copy/ledger/chunks.ts'
import type { ClaimScope } from '../../src/engine/copy/ledger/claim-search.ts'
import type { StoredRange } from '../../src/engine/copy/ledger/keys.ts'
import type { Claim } from '../../src/model/copy/plan.ts'
import type { RunOwner } from '../../src/engine/copy/ledger/owner.ts'
import { proveAgain } from '../../src/engine/copy/ledger/proofs.ts'
import {
  endLines,
  quarantined,
  quarantineStatement,
  replayedChunk,
  type RowToQuarantine,
} from '../../src/engine/copy/ledger/quarantine.ts'
import { ownerQuery } from '../../src/engine/copy/ledger/stored-chunk.ts'
import { Planning } from '../../src/engine/copy/ledger/planning.ts'
import { RunLedger } from '../../src/engine/copy/ledger/runs.ts'
import type { StoredChunk } from '../../src/engine/copy/ledger/stored-chunk.ts'
import type { Range } from '../../src/model/copy/range.ts'
import { newOwner } from '../../src/shared/owner.ts'
import { prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { LedgerDatabase, Statement } from '../../src/model/run/ledger-port.ts'
import type { SqlDialect } from '../../src/model/run/sql-port.ts'
import { makePlace, missing } from '../support/copy-systems.ts'
import { d1Base, d1Stage } from '../support/servers/d1-kit.ts'
import { D1_AVAILABLE } from '../support/servers/d1.ts'

const SYSTEMS = ['sqlite', 'postgresql', 'mysql', 'duckdb', 'd1'] as const
const KEY = { schema: 's', name: 't' }
const REFUSED: RowToQuarantine = { key: ['1'], stage: 'write', code: 'ROW_REFUSED', message: 'no', row: { id: '1' } }

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-claims-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function owner(runId: bigint): RunOwner {
  return { ...newOwner('here'), runId }
}

type Opened = { readonly store: CopyStore; readonly ledger: LedgerDatabase }

async function opened(system: (typeof SYSTEMS)[number], chunks: number): Promise<Opened> {
  const { url } = await makePlace(system, folder)
  const store = await openCopyStore(url, { mode: 'write' })
  const ledger = await store.ledger()
  await prepareLedger(ledger)
  await fill(ledger, KEY.name, 1, chunks)
  return { store, ledger }
}

/** Chunks of a table, all of them pending. */
async function fill(ledger: LedgerDatabase, table: string, from: number, chunks: number): Promise<void> {
  const numbers = Array.from({ length: chunks }, (_, i) => from + i)
  for (let at = 0; at < numbers.length; at += 500) {
    const rows = numbers.slice(at, at + 500).map((no) => `('${table}', 's', 'pending', ${no}, 'all')`)
    const sql = `INSERT INTO migration_checkpoints (table_name, schema_name, status, chunk_no, kind) VALUES ${rows.join(', ')}`
    await ledger.batch([{ sql, parameters: [] }])
  }
}

async function close({ store, ledger }: Opened): Promise<void> {
  await ledger[Symbol.asyncDispose]()
  await store[Symbol.asyncDispose]()
}

/** Numbers of the chunks that a run claims until none is left. */
async function drained(ledger: LedgerDatabase, work: ClaimScope, workers = 1): Promise<readonly number[]> {
  const { claims } = new ChunkLedger(ledger, KEY, owner(1n))
  claims.work(work)
  const taken: number[] = []
  const lane = async (): Promise<void> => {
    for (let claim = await claims.claim(null); claim !== null; claim = await claims.claim(null)) taken.push(claim.no)
  }
  await Promise.all(Array.from({ length: workers }, lane))
  return taken
}

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i + 1)
const sorted = (numbers: readonly number[]): readonly number[] => numbers.toSorted((a, b) => a - b)
const ALL: ClaimScope = { only: null, seed: null }

describe.each(SYSTEMS)('claims in %s', { timeout: 60_000 }, (system) => {
  test('go by number, and find released chunks of lower numbers, whichever program released them', async (context) => {
    context.skip((await missing(system)) !== '', await missing(system))
    const at = await opened(system, 8)
    const { ledger } = at
    const { claims } = new ChunkLedger(ledger, KEY, owner(1n))
    const [first, second, third] = [await claims.claim(null), await claims.claim(null), await claims.claim(null)]
    expect([first?.no, second?.no, third?.no]).toEqual([1, 2, 3])
    if (first === null || second === null) throw new Error('nothing was claimed')
    await claims.release(second, 0, null)
    expect((await claims.claim(null))?.no).toBe(system === 'duckdb' ? 4 : 2)
    // As in the guide of the script.
    const sql = `UPDATE migration_checkpoints SET status = 'pending' WHERE id = ${first.id}`
    await ledger.batch([{ sql, parameters: [] }])
    const rest: (number | undefined)[] = []
    for (let claim = await claims.claim(null); claim !== null; claim = await claims.claim(null)) rest.push(claim.no)
    expect(sorted(rest.map(Number))).toEqual(system === 'duckdb' ? [1, 2, 5, 6, 7, 8] : [1, 4, 5, 6, 7, 8])
    expect(await claims.remaining(null)).toEqual({ pending: false, held: true, failed: false })
    await close(at)
  })

  test('claim each wanted chunk once, in any order, with several workers and several jobs', async (context) => {
    context.skip((await missing(system)) !== '', await missing(system))
    const at = await opened(system, 60)
    const { ledger } = at
    const again = async (): Promise<void> => {
      await ledger.batch([{ sql: "UPDATE migration_checkpoints SET status = 'pending'", parameters: [] }])
    }
    expect(await drained(ledger, ALL)).toEqual(upTo(60))
    await again()
    const scattered = await drained(ledger, { only: null, seed: 12 })
    expect(sorted(scattered)).toEqual(upTo(60))
    // The order is scattered, and both halves are reached soon.
    expect(scattered.filter((no, i) => no === (scattered[i - 1] ?? 0) + 1).length).toBeLessThan(30)
    expect(scattered.slice(0, 6).filter((no) => no > 30).length).toBeGreaterThan(0)
    expect(scattered.slice(0, 6).filter((no) => no <= 30).length).toBeGreaterThan(0)
    await again()
    // More ranges of numbers than the first query returns.
    const odd = upTo(60).filter((no) => no % 2 === 1)
    expect(sorted(await drained(ledger, { only: odd, seed: 7 }, 3))).toEqual(odd)
    expect(await drained(ledger, { only: odd, seed: null })).toEqual([])
    expect(await drained(ledger, { only: [2, 4, 5, 6, 59, 60], seed: null })).toEqual([2, 4, 6, 60])
    await again()
    const jobs = [1, 2, 3].map((no) => ({ no, of: 3 }))
    const numbers: number[] = []
    for (const [i, part] of jobs.entries()) {
      const { claims } = new ChunkLedger(ledger, KEY, owner(BigInt(i + 1)))
      for (let claim = await claims.claim(part); claim !== null; claim = await claims.claim(part)) {
        expect((claim.no - 1) % 3).toBe(i)
        numbers.push(claim.no)
      }
    }
    expect(sorted(numbers)).toEqual(upTo(60))
    await close(at)
  })

  test('a batch that ran twice because its answer was lost claims one chunk', async (context) => {
    context.skip(system === 'duckdb' || system === 'sqlite', 'nothing gets lost on the way to a file')
    context.skip((await missing(system)) !== '', await missing(system))
    const at = await opened(system, 5)
    const { ledger } = at
    const twice = new Proxy(ledger, {
      get: (of, name) => {
        if (name === 'dialect') return of.dialect
        if (name === 'all') return of.all.bind(of)
        return async (statements: readonly Statement[]) => {
          if (statements.length > 1) await of.batch(statements)
          return of.batch(statements)
        }
      },
    })
    const { claims } = new ChunkLedger(twice, KEY, owner(1n))
    expect((await claims.claim(null))?.no).toBe(1)
    const held = await ledger.all("SELECT chunk_no FROM migration_checkpoints WHERE status = 'in_progress'")
    expect(held.map(([no]) => Number(no))).toEqual([1])
    expect((await claims.claim(null))?.no).toBe(2)
    await close(at)
  })
})

test.each(SYSTEMS)('a comparison that has lost its chunk of %s to another run ends no line of it', async (system) => {
  if ((await missing(system)) !== '') return
  const at = await opened(system, 1)
  const { ledger } = at
  const who = owner(1n)
  const claim = await new ChunkLedger(ledger, KEY, who).claims.claim(null)
  const status = { sql: "UPDATE migration_checkpoints SET status = 'completed'", parameters: [] }
  await ledger.batch([status])
  const compared = { ...(claim as unknown as StoredChunk), quarantined: 1n }
  await ledger.batch(quarantineStatement(ledger, KEY, who, compared, REFUSED))
  const digest = { rows: 0n, sum: '' }
  const proof = { scheme: 'canonical', source: digest, target: digest, before: null, surplus: null, tookMs: 0 } as const
  const tally = { read: 0n, written: 0n, skipped: 0n, quarantined: 0n, bytes: 0n }
  const proved = (chunk: StoredChunk): Promise<boolean> =>
    proveAgain(
      ledger,
      who,
      chunk,
      tally,
      { ...proof, point: { view: 'v', at: 'now' } },
      { sql: 'SELECT 1', parameters: [] },
      (held) => [replayedChunk(ledger, chunk.id, held)],
    )
  expect(await proved({ ...compared, fence: compared.fence - 1 })).toBe(false)
  expect(await quarantined(ledger, null)).toHaveLength(1)
  expect(await proved(compared)).toBe(true)
  expect(await quarantined(ledger, null)).toEqual([])
  await close(at)
})

// The ledgers of these targets commit batch by batch.
test.each(['sqlite', 'd1'] as const)('only the owner of a chunk of %s ends and writes lines of it', async (system) => {
  if ((await missing(system)) !== '') return
  const at = await opened(system, 1)
  const { ledger } = at
  const claimed = async (who: RunOwner): Promise<Claim> => {
    const claim = await new ChunkLedger(ledger, KEY, who).claims.claim(null)
    if (claim === null) throw new Error('nothing was claimed')
    return claim
  }
  const line = (who: RunOwner, claim: Claim, aside: RowToQuarantine): Promise<unknown> =>
    ledger.batch(quarantineStatement(ledger, KEY, who, claim, aside, ownerQuery(who, claim)))
  const keys = async (): Promise<unknown> => (await quarantined(ledger, null)).map(({ key }) => key)
  const free = { sql: "UPDATE migration_checkpoints SET status = 'pending'", parameters: [] }
  const [first, late, next] = [owner(1n), owner(2n), owner(3n)]
  await line(first, await claimed(first), REFUSED)
  await ledger.batch([free])
  const lost = await claimed(late)
  await ledger.batch([free])
  const has = await claimed(next)
  expect([lost.attempt, has.attempt]).toEqual([2, 3])
  await endLines(ledger, late, lost)
  await line(late, lost, { ...REFUSED, key: ['2'] })
  expect(await keys()).toEqual([['1']])
  await endLines(ledger, next, has)
  expect(await keys()).toEqual([])
  await line(next, has, { ...REFUSED, key: ['3'] })
  expect(await keys()).toEqual([['3']])
  await close(at)
})

/** Statements by which a system explains how it finds rows. */
const EXPLAIN: Partial<Record<SqlDialect, string>> = {
  sqlite: 'EXPLAIN QUERY PLAN ',
  postgresql: 'EXPLAIN (FORMAT JSON) ',
  mysql: 'EXPLAIN FORMAT=JSON ',
}

describe.each(['sqlite', 'postgresql', 'mysql'] as const)('indexes in %s', { timeout: 60_000 }, (system) => {
  test('are used by every statement that runs again and again', async (context) => {
    context.skip((await missing(system)) !== '', await missing(system))
    const at = await opened(system, 3000)
    const { ledger } = at
    await fill(ledger, 'other', 1, 3000)
    if (ledger.dialect !== 'sqlite') {
      const analyze = ledger.dialect === 'mysql' ? 'ANALYZE TABLE' : 'ANALYZE'
      await ledger.batch([{ sql: `${analyze} migration_checkpoints`, parameters: [] }])
    }
    const asked: Statement[] = []
    const watched = new Proxy(ledger, {
      get: (of, name) => {
        if (name === 'dialect') return of.dialect
        if (name === 'all')
          return async (sql: string, parameters: Statement['parameters'] = []) => {
            asked.push({ sql, parameters })
            return of.all(sql, parameters)
          }
        return async (statements: readonly Statement[]) => {
          asked.push(...statements)
          return of.batch(statements)
        }
      },
    })
    const { claims } = new ChunkLedger(watched, KEY, owner(1n))
    await claims.claim(null)
    await claims.claim(null)
    await claims.claim({ no: 2, of: 3 })
    await claims.remaining(null)
    await claims.expired()
    await claims.busyRuns()
    await claims.claimedChunks()
    claims.work({ only: upTo(3000).filter((no) => no % 2 === 0), seed: 5 })
    await claims.claim(null)
    const explain = EXPLAIN[ledger.dialect] ?? ''
    for (const { sql, parameters } of asked) {
      const [plan] = await ledger.batch([{ sql: `${explain}${sql}`, parameters }])
      const text = JSON.stringify(plan)
        .replaceAll(/\\+[n"]/g, ' ')
        .replaceAll(/ +/g, ' ')
      expect(text, sql).toMatch(/migration_checkpoints_by_status|tables optimized away/)
      // The one row that the query of a claim has found.
      const tables = text.replaceAll(/table_name : <derived\d> , access_type : ALL/g, '')
      expect(tables, sql).not.toMatch(/SCAN migration_checkpoints|Seq Scan|access_type : (?:ALL|index) /)
      if (!sql.includes('DISTINCT')) expect(tables, sql).not.toMatch(/TEMP B-TREE FOR ORDER|filesort| Sort /)
    }
    await close(at)
  })
})

describe.each(SYSTEMS)('chunks in %s', { timeout: 60_000 }, (system) => {
  test('are stored unchanged, whatever their keys hold, and are read back in order', async (context) => {
    context.skip((await missing(system)) !== '', await missing(system))
    const at = await opened(system, 0)
    const { ledger } = at
    const who = owner(1n)
    const plan = { source: 's', sourceTable: 't', hash: 'h', plan: '{}', wishes: '{}', chunkRows: 1, planned: false, madeHere: true } // prettier-ignore
    await new RunLedger(ledger, who).savePlan(KEY, plan, false)
    const planning = new Planning(ledger, KEY, who)
    await planning.take()
    const keys = ['a"b', 'a\\b', "it's", '{x,y}', 'NULL', '', 'ü\n\t', '\u0000', '9223372036854775807', '%s ? $1']
    const ranges: Range[] = [null, ...keys].map((after, i) => ({ by: 'key', after: after === null ? null : [after], through: keys[i] === undefined ? null : [keys[i], 'second'] })) // prettier-ignore
    const more: readonly Range[] = [...ranges, { by: 'nullKey' }]
    const stored = more.map((range): StoredRange => {
      if (range.by !== 'key') return { kind: 'nullKey', lo: null, hi: null, startId: null, endId: 9n }
      const [lo, hi] = [range.after, range.through].map((bound) => (bound === null ? null : JSON.stringify(bound)))
      return { kind: 'key', lo: lo ?? null, hi: hi ?? null, startId: -5n, endId: null }
    })
    const book = new ChunkLedger(ledger, KEY, who)
    await book.add(stored, 5, planning)
    for (const size of [1, 4, 1000]) {
      const found: StoredChunk[] = []
      for await (const page of book.pages(null, size)) {
        expect(page.length).toBeLessThanOrEqual(size)
        found.push(...page)
      }
      expect(found.map(({ range }) => range)).toEqual(more)
      expect(found.map(({ no, status, runId }) => [no, status, runId])).toEqual(
        more.map((_, i) => [5 + i, 'pending', 1n]),
      )
    }
    await close(at)
  })
})

describe.skipIf(!D1_AVAILABLE)('D1', { timeout: 60_000 }, () => {
  test('sends as many requests and reads as many rows for a claim, however many chunks are pending', async () => {
    const costs: unknown[] = []
    for (const chunks of [100, 5000]) {
      await using stage = await d1Stage(await d1Base())
      await using ledger = await stage.store.ledger()
      await prepareLedger(ledger)
      await fill(ledger, KEY.name, 1, chunks)
      const { claims } = new ChunkLedger(ledger, KEY, owner(1n))
      for (const seed of [null, 9]) {
        claims.work({ only: null, seed })
        await claims.claim(null)
        const before = stage.store.usage
        await claims.claim(null)
        await claims.remaining(null)
        await claims.expired()
        await claims.busyRuns()
        const { requests, rowsRead } = stage.store.usage
        costs.push([seed, requests - before.requests, rowsRead - before.rowsRead])
        // The claim is read together with the claims of others.
        expect(requests - before.requests).toBe(4)
        expect(rowsRead - before.rowsRead).toBeLessThan(40)
      }
    }
    expect(costs.slice(0, 2)).toEqual(costs.slice(2))
  })
})

/** The ledger of copies as a log in Cassandra: all operations of a ledger, by several processes at once. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { ChunkLedger } from '../../src/engine/copy/ledger/chunks.ts'
import { closingOf } from '../../src/engine/copy/ledger/closing.ts'
import type { RunOwner } from '../../src/engine/copy/ledger/owner.ts'
import { batchOnce } from '../../src/engine/copy/ledger/once.ts'
import { Planning } from '../../src/engine/copy/ledger/planning.ts'
import { RunLedger } from '../../src/engine/copy/ledger/runs.ts'
import { hasLedger, LEDGER_VERSION, prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import type { StoredRange } from '../../src/engine/copy/ledger/keys.ts'
import { openCqlLedger, type LedgerOptions } from '../../src/stores/cassandra/ledger/index.ts'
import { connectCassandra } from '../../src/stores/cassandra/connect.ts'
import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'
import { CASSANDRA_AVAILABLE, CASSANDRA_OWN, startOwn } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { newOwner } from '../../src/shared/owner.ts'

const NEVER = new AbortController().signal

let keyspace: TestKeyspace
const open: LedgerDatabase[] = []

const used: TestKeyspace[] = []

afterAll(async () => {
  for (const ledger of open) await ledger[Symbol.asyncDispose]()
  for (const one of used) await one[Symbol.asyncDispose]()
})

async function participant(options: LedgerOptions = {}, of = keyspace): Promise<LedgerDatabase> {
  const ledger = await openCqlLedger(of.link, of.name, NEVER, options)
  open.push(ledger)
  return ledger
}

/** A new keyspace: old servers confuse tables that are dropped and created again. */
async function empty(): Promise<void> {
  keyspace = await newKeyspace()
  used.push(keyspace)
}

async function sluiceError(run: () => Promise<unknown>): Promise<SluiceError> {
  try {
    await run()
  } catch (error) {
    if (error instanceof SluiceError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

function owner(runId: bigint): RunOwner {
  return { ...newOwner('here'), runId }
}

const KEY = { schema: 'ks', name: 't' }

function ranges(count: number): readonly StoredRange[] {
  return Array.from({ length: count }, (_, i) => ({
    kind: 'key',
    lo: i === 0 ? null : `["${i * 10}"]`,
    hi: i === count - 1 ? null : `["${(i + 1) * 10}"]`,
    startId: BigInt(i * 10 + 1),
    endId: BigInt(i * 10 + 10),
  }))
}

/** A ledger with a plan whose owner divides the table into chunks. */
async function planned(ledger: LedgerDatabase, who: RunOwner, chunks: number): Promise<Planning> {
  await prepareLedger(ledger)
  const runs = new RunLedger(ledger, who)
  await runs.start({ operation: 'copy', source: 'a', target: 'b', planHash: 'h', command: 'c', tool: 't', actor: 'a' })
  const plan = { source: 'a', sourceTable: 't', hash: 'h', plan: '{}', wishes: '{}', chunkRows: 10, planned: false }
  await runs.savePlan(KEY, { ...plan, madeHere: false }, false)
  const planning = new Planning(ledger, KEY, who)
  expect(await planning.take()).toBe(true)
  await new ChunkLedger(ledger, KEY, who).add(ranges(chunks), 1, planning)
  return planning
}

async function dump(ledger: LedgerDatabase): Promise<string> {
  const schema = await ledger.all('SELECT name, sql FROM sqlite_schema ORDER BY name')
  const tables = await ledger.all("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
  const rows: unknown[] = []
  for (const [name] of tables)
    rows.push(name, await ledger.all(`SELECT rowid, * FROM "${String(name)}" ORDER BY rowid`))
  return JSON.stringify([schema, rows], (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}

describe.skipIf(!CASSANDRA_AVAILABLE)('the ledger in Cassandra', () => {
  test('reading creates no table', async () => {
    await empty()
    const ledger = await participant()
    expect(await hasLedger(ledger)).toBe(false)
    expect(await ledger.batch([{ sql: 'SELECT 1', parameters: [] }])).toEqual([[[1]]])
    const readOnly = await participant({ isReadOnly: true })
    await expect(prepareLedger(readOnly)).rejects.toThrow(/opened for reading/)
    const { rows } = await keyspace.link.client.execute(
      'SELECT columnfamily_name FROM system.schema_columnfamilies WHERE keyspace_name = ?',
      [keyspace.name],
    )
    expect(rows.filter((row) => String(row.get('columnfamily_name')).startsWith('sluice_'))).toEqual([])
  })

  test('processes that start at the same time create one ledger', async () => {
    await empty()
    const many = await Promise.all(Array.from({ length: 6 }, () => participant()))
    await Promise.all(many.map(prepareLedger))
    for (const ledger of many) {
      expect(await ledger.all('SELECT version FROM migration_ledger')).toEqual([[LEDGER_VERSION]])
    }
    const dumps = await Promise.all(many.map(dump))
    expect(new Set(dumps).size).toBe(1)
  })

  test('chunks are claimed once, closed once, and visible to each process', async () => {
    await empty()
    const [one, two] = [await participant(), await participant()]
    const [a, b] = [owner(1n), owner(2n)]
    const planning = await planned(one, a, 12)
    await prepareLedger(two)
    const ours = [new ChunkLedger(one, KEY, a), new ChunkLedger(two, KEY, b)]
    await expect(new Planning(two, KEY, b).change([])).rejects.toMatchObject({ code: 'LEASE_LOST' })
    await planning.note(true, 10)
    const claims = await Promise.all(Array.from({ length: 14 }, async (_, i) => ours[i % 2]?.claims.claim(null)))
    const numbers = claims.flatMap((claim) => claim?.no ?? [])
    expect(numbers.toSorted((x, y) => x - y)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
    const [claim] = claims
    if (claim === null || claim === undefined) throw new Error('nothing was claimed')
    const tally = { read: 10n, written: 10n, skipped: 0n, quarantined: 0n, bytes: 1n }
    const proof = {
      scheme: 'none',
      source: null,
      target: null,
      point: { view: '', at: '' },
      surplus: 0n,
      refused: null,
    } as const
    const first = closingOf(one, a, claim, tally, proof, null, [])
    const second = closingOf(two, b, claim, tally, proof, null, [])
    // The other process does not own the claim.
    expect((await two.batch([...second.statements, second.landed])).at(-1)).toEqual([])
    expect((await one.batch([...first.statements, first.landed])).at(-1)).toEqual([[1]])
    expect(await two.all("SELECT COUNT(*) FROM migration_checkpoints WHERE status = 'completed'")).toEqual([[1]])
    expect(await dump(two)).toBe(await dump(one))
  })

  test('a claim takes the same number of requests for any number of pending chunks', { timeout: 120_000 }, async () => {
    const costs: number[] = []
    for (const chunks of [20, 500]) {
      await empty()
      const ledger = await participant()
      const who = owner(1n)
      await planned(ledger, who, chunks)
      const { claims } = new ChunkLedger(ledger, KEY, who)
      await claims.claim(null)
      const { client } = keyspace.link
      const execute = client.execute.bind(client) as (...parameters: readonly unknown[]) => Promise<unknown>
      let requests = 0
      Object.assign(client, {
        execute: (...parameters: readonly unknown[]) => {
          requests++
          return execute(...parameters)
        },
      })
      for (let i = 0; i < 3; i++) await claims.claim(null)
      Object.assign(client, { execute })
      costs.push(requests)
    }
    expect(costs[0]).toBeGreaterThan(0)
    expect(costs[1]).toBe(costs[0])
  })

  test('a failed batch changes nothing, not even when it is combined with others', async () => {
    await empty()
    const ledger = await participant()
    await prepareLedger(ledger)
    const token = (text: string) => ({ sql: 'INSERT INTO migration_tokens (token) VALUES (?)', parameters: [text] })
    const results = await Promise.allSettled([
      ledger.batch([token('a')]),
      ledger.batch([token('b'), token('a')]),
      ledger.batch([token('c'), { sql: 'SELECT COUNT(*) FROM migration_tokens', parameters: [] }]),
      ledger.all('SELECT nothing FROM nowhere'),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected'])
    expect(results[2]).toMatchObject({ value: [[], [[2]]] })
    const other = await participant()
    expect(await other.all('SELECT token FROM migration_tokens ORDER BY token')).toEqual([['a'], ['c']])
    await batchOnce(other, 'x', [token('d')])
    await expect(batchOnce(other, 'x', [token('a')])).rejects.toThrow(/UNIQUE/)
    expect(await ledger.all('SELECT COUNT(*) FROM migration_tokens WHERE length(token) = 1')).toEqual([[3]])
  })

  test('values are read as they were written', async () => {
    await empty()
    const ledger = await participant()
    const values = [2n ** 63n - 1n, -(2n ** 53n), 0.1, 'ein Text\u0000 \u{1f980}', Buffer.from([0, 255]), null, 7]
    await ledger.batch([{ sql: 'CREATE TABLE v (id INTEGER PRIMARY KEY, x)', parameters: [] }])
    await ledger.batch(values.map((value) => ({ sql: 'INSERT INTO v (x) VALUES (?)', parameters: [value] })))
    const other = await participant()
    const rows = await other.all('SELECT x, typeof(x) FROM v ORDER BY id')
    expect(rows).toEqual(await ledger.all('SELECT x, typeof(x) FROM v ORDER BY id'))
    expect(rows.map(([x]) => x)).toEqual([
      2n ** 63n - 1n,
      -(2n ** 53n),
      0.1,
      'ein Text\u0000 \u{1f980}',
      Buffer.from([0, 255]),
      null,
      7,
    ])
  })

  test('thousands of random changes give equal replicas', async () => {
    await empty()
    const base = await participant({ snapshotEntries: 40 })
    await planned(base, owner(9n), 40)
    const step = fc.record({
      who: fc.nat(2),
      what: fc.constantFrom('claim', 'release', 'fail', 'close', 'free', 'reopen', 'renew', 'token', 'look'),
      pick: fc.nat(99),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 150, maxLength: 250 }), async (steps) => {
        const ledgers = await Promise.all([0, 1, 2].map(() => participant({ snapshotEntries: 40 })))
        const who = [owner(11n), owner(12n), owner(13n)]
        const held: (readonly [number, Awaited<ReturnType<ChunkLedger['claims']['claim']>>])[] = []
        const fences = new Map<number, number>()
        const work = steps.map(async ({ who: i, what, pick }) => {
          const ledger = ledgers[i]
          const me = who[i]
          if (ledger === undefined || me === undefined) return
          const chunks = new ChunkLedger(ledger, KEY, me)
          const { claims } = chunks
          const [, claim = null] = held[pick % Math.max(1, held.length)] ?? []
          if (what === 'claim') {
            const taken = await claims.claim(null)
            if (taken === null) return
            expect(taken.fence).toBeGreaterThan(fences.get(taken.id) ?? 0)
            fences.set(taken.id, taken.fence)
            held.push([i, taken])
          } else if (what === 'token') await batchOnce(ledger, me.id, [])
          else if (what === 'look') await claims.remaining(null)
          else if (what === 'reopen') await chunks.reopenFailed()
          else if (what === 'free') for (const one of (await claims.expired()).slice(0, 2)) await claims.free(one)
          else if (claim === null) return
          else if (what === 'release') await claims.release(claim, 0, null)
          else if (what === 'fail') await claims.fail(claim, { code: 'X', message: 'x' })
          else if (what === 'close') {
            const tally = { read: 1n, written: 1n, skipped: 0n, quarantined: 0n, bytes: 1n }
            const proof = {
              scheme: 'none',
              source: null,
              target: null,
              point: { view: '', at: '' },
              surplus: 0n,
              refused: null,
            } as const
            await ledger.batch(closingOf(ledger, me, claim, tally, proof, null, []).statements)
          }
        })
        await Promise.all(work)
        const fresh = await participant()
        const dumps = await Promise.all([...ledgers, fresh].map(dump))
        expect(new Set(dumps).size).toBe(1)
      }),
      { numRuns: 10 },
    )
  }, 180_000)

  test('a snapshot replaces the entries before it', async () => {
    await empty()
    const [busy, slow] = [await participant({ snapshotEntries: 20 }), await participant({ snapshotEntries: 20 })]
    await prepareLedger(busy)
    await slow.all('SELECT COUNT(*) FROM migration_tokens')
    for (let i = 0; i < 1100; i++) {
      await busy.batch([{ sql: 'INSERT INTO migration_tokens (token) VALUES (?)', parameters: [`t${i}`] }])
    }
    await busy[Symbol.asyncDispose]()
    const [head] = await keyspace.rows('SELECT seq, snapshot_seq, trimmed FROM sluice_ledger_head')
    expect(Number(String(head?.get('snapshot_seq')))).toBeGreaterThan(800)
    expect(String(head?.get('trimmed'))).not.toBe('0')
    const [left] = await keyspace.rows('SELECT COUNT(*) AS n FROM sluice_ledger_log')
    expect(Number(String(left?.get('n')))).toBeLessThan(3 * 256)
    // This reader had read no entry of those removed.
    expect(await slow.all('SELECT COUNT(*) FROM migration_tokens')).toEqual([[1100]])
    const fresh = await participant()
    expect(await dump(fresh)).toBe(await dump(slow))
    await slow.batch([{ sql: 'DELETE FROM migration_tokens', parameters: [] }])
    expect(await fresh.all('SELECT COUNT(*) FROM migration_tokens')).toEqual([[0]])
  }, 120_000)

  test('large entries are split into parts, and too large ones are refused', async () => {
    await empty()
    const ledger = await participant()
    await prepareLedger(ledger)
    const text = randomBytes(1_500_000).toString('hex')
    const insert = { sql: 'INSERT INTO migration_tokens (token) VALUES (?)', parameters: [text] }
    await ledger.batch([insert])
    const [parts] = await keyspace.rows('SELECT COUNT(*) AS n FROM sluice_ledger_part')
    expect(Number(String(parts?.get('n')))).toBeGreaterThan(3)
    const other = await participant()
    expect(await other.all('SELECT length(token) FROM migration_tokens')).toEqual([[3_000_000]])
    const huge = { ...insert, parameters: ['x'.repeat(11_000_000)] }
    await expect(ledger.batch([huge])).rejects.toMatchObject({ code: 'VALUE_REFUSED' })
    expect(await ledger.all('SELECT COUNT(*) FROM migration_tokens')).toEqual([[1]])
  }, 60_000)

  test('five thousand chunks are written in one batch', async () => {
    await empty()
    const ledger = await participant()
    await prepareLedger(ledger)
    await ledger.batch(
      Array.from({ length: 5000 }, (_, i) => ({
        sql: "INSERT INTO migration_checkpoints (table_name, schema_name, status, chunk_no, kind, lo, hi) VALUES ('t', 'ks', 'pending', ?, 'key', ?, ?)",
        parameters: [i, `["${i}"]`, `["${i + 1}"]`],
      })),
    )
    expect(await (await participant()).all('SELECT COUNT(*) FROM migration_checkpoints')).toEqual([[5000]])
  })

  test('a change or a loss of entries by another program is detected', async () => {
    const fill = async (): Promise<void> => {
      await empty()
      const ledger = await participant()
      await prepareLedger(ledger)
    }
    await fill()
    const [third] = await keyspace.rows(
      "SELECT seq, id FROM sluice_ledger_log WHERE ledger = 'copies' AND bucket = 0 AND seq = 3",
    )
    const where = `ledger = 'copies' AND bucket = 0 AND seq = 3 AND id = ${String(third?.get('id'))}`
    await keyspace.cql(`UPDATE sluice_ledger_log SET entry = 0x0123 WHERE ${where}`)
    expect((await sluiceError(() => participant())).code).toBe('LEDGER_DAMAGED')
    await keyspace.cql(`DELETE FROM sluice_ledger_log WHERE ${where}`)
    expect((await sluiceError(() => participant())).code).toBe('LEDGER_DAMAGED')

    await fill()
    const there = await participant()
    await keyspace.cql("UPDATE sluice_ledger_head SET seq = 2 WHERE ledger = 'copies'")
    expect((await sluiceError(() => there.all('SELECT 1'))).code).toBe('LEDGER_DAMAGED')
    await keyspace.cql("DELETE FROM sluice_ledger_head WHERE ledger = 'copies'")
    expect((await sluiceError(() => there.all('SELECT 1'))).code).toBe('LEDGER_DAMAGED')

    await fill()
    await keyspace.cql("UPDATE sluice_ledger_head SET format = 2 WHERE ledger = 'copies'")
    expect((await sluiceError(() => participant())).code).toBe('LEDGER_NEWER')
  })

  test('a table of the same name with other columns is refused by name', async () => {
    for (const name of ['head', 'log', 'part']) {
      await empty()
      await keyspace.cql(`CREATE TABLE sluice_ledger_${name} (id int PRIMARY KEY, name text)`)
      const error = await sluiceError(async () => prepareLedger(await participant()))
      expect([error.code, error.message]).toEqual([
        'TABLE_REFUSED',
        expect.stringContaining(`sluice_ledger_${name}`) as string,
      ])
      await keyspace.cql(`DROP TABLE sluice_ledger_${name}`)
    }
  })

  test("programs that could not see each other's writes are refused", async () => {
    await empty()
    await prepareLedger(await participant())
    await using link = await connectCassandra(
      `${keyspace.url}${keyspace.url.includes('?') ? '&' : '?'}serial_consistency=LOCAL_SERIAL`,
    )
    const error = await sluiceError(() => openCqlLedger(link, keyspace.name, NEVER))
    expect([error.code, error.message]).toEqual(['BAD_CONFIG', expect.stringContaining('LOCAL_SERIAL')])
  })
})

describe.skipIf(!CASSANDRA_OWN)('the ledger and permissions', () => {
  test('a user who may not write gets an error', async () => {
    await using cluster = await startOwn(1, { users: true })
    await cluster.cql(
      "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
      "CREATE USER reader WITH PASSWORD 'r' NOSUPERUSER",
      'GRANT SELECT ON KEYSPACE k TO reader',
    )
    await using link = await connectCassandra(cluster.url('k', 'reader', 'r'))
    const ledger = await openCqlLedger(link, 'k', NEVER)
    expect(await hasLedger(ledger)).toBe(false)
    expect((await sluiceError(() => prepareLedger(ledger))).code).toBe('TARGET_DENIED')
    await ledger[Symbol.asyncDispose]()
  }, 120_000)
})

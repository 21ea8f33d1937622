/**
 * Programs that share a ledger in Cassandra and are killed, frozen and disconnected: no confirmed write is lost, and no
 * chunk is done twice.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { ChunkLedger } from '../../src/engine/copy/ledger/chunks.ts'
import type { RunOwner } from '../../src/engine/copy/ledger/owner.ts'
import { Planning } from '../../src/engine/copy/ledger/planning.ts'
import { RunLedger } from '../../src/engine/copy/ledger/runs.ts'
import { newOwner } from '../../src/shared/owner.ts'
import { prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import { connectCassandra } from '../../src/stores/cassandra/connect.ts'
import { openCqlLedger } from '../../src/stores/cassandra/ledger/index.ts'
import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'
import { CASSANDRA_AVAILABLE } from '../support/servers/cassandra.ts'
import { newKeyspace, type TestKeyspace } from '../support/servers/cassandra-kit.ts'
import { startProxy } from '../support/servers/proxy.ts'

const NEVER = new AbortController().signal
const LEASE_MS = 2000
const CHUNKS = 80

type Said = {
  readonly claimed?: number
  readonly closed?: number
  readonly fence?: number
  readonly token?: string
  readonly failed?: string
  readonly message?: string
  readonly done?: true
}

type Child = { readonly process: ChildProcess; readonly said: Said[]; readonly ended: Promise<number | null> }

const children = new Set<Child>()

afterEach(() => {
  for (const { process: child } of children) child.kill('SIGKILL')
  children.clear()
})

let numbers = 0

function startChild(url: string, keyspace: string, workMs = 30): Child {
  const settings = { url, keyspace, table: 't', leaseMs: LEASE_MS, number: ++numbers, workMs }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'ledger-child.mjs')], {
    env: { ...process.env, SLUICE_CHILD: JSON.stringify(settings) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said: Said[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    // The last line of a killed program may be incomplete.
    if (line.endsWith('}')) said.push(JSON.parse(line) as Said)
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const started = { process: child, said, ended }
  children.add(started)
  return started
}

async function prepared(ledger: LedgerDatabase, keyspace: string): Promise<void> {
  const me: RunOwner = { ...newOwner('here'), runId: 1n }
  const key = { schema: keyspace, name: 't' }
  await prepareLedger(ledger)
  const plan = { source: 'a', sourceTable: 't', hash: 'h', plan: '{}', wishes: '{}', chunkRows: 10, planned: true }
  await new RunLedger(ledger, me).savePlan(key, { ...plan, madeHere: false }, false)
  const planning = new Planning(ledger, key, me)
  await planning.take()
  const ranges = Array.from({ length: CHUNKS }, (_, i) => ({
    kind: 'key',
    lo: `["${i}"]`,
    hi: `["${i + 1}"]`,
    startId: BigInt(i + 1),
    endId: BigInt(i + 1),
  }))
  await new ChunkLedger(ledger, key, me).add(ranges, 1, planning)
  await planning.end()
}

/** The ledger at the end agrees with what the programs reported. */
async function expectWhole(ledger: LedgerDatabase, all: readonly Child[]): Promise<void> {
  const said = all.flatMap((child) => child.said)
  const marks = (key: 'claimed' | 'closed'): readonly string[] =>
    said.flatMap((one) => (one[key] === undefined ? [] : [`${one[key]} ${one.fence}`]))
  // Each claim of a chunk has its own fencing token, and one claim closes the chunk.
  expect(new Set(marks('claimed')).size).toBe(marks('claimed').length)
  const closed = said.flatMap((one) => one.closed ?? [])
  expect(new Set(closed).size).toBe(closed.length)
  const rows = await ledger.all("SELECT id, status, fence FROM migration_checkpoints WHERE table_name = 't'")
  expect(rows.filter(([, status]) => status === 'completed')).toHaveLength(CHUNKS)
  const fences = new Map(rows.map(([id, , fence]) => [Number(id), Number(fence)]))
  for (const one of said) {
    if (one.closed !== undefined) expect(one.fence).toBe(fences.get(one.closed))
    if (one.claimed !== undefined) expect(one.fence).toBeLessThanOrEqual(fences.get(one.claimed) ?? 0)
  }
  const kept = new Set((await ledger.all('SELECT token FROM migration_tokens')).map(([token]) => String(token)))
  expect(said.flatMap(({ token }) => token ?? []).filter((token) => !kept.has(token))).toEqual([])
}

async function dump(ledger: LedgerDatabase): Promise<string> {
  const tables = await ledger.all("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name")
  const rows: unknown[] = [tables]
  for (const [name] of tables) rows.push(await ledger.all(`SELECT rowid, * FROM "${String(name)}" ORDER BY rowid`))
  return JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
}

/** Reports fencing tokens that decrease while programs work. */
async function watch(ledger: LedgerDatabase, until: () => boolean): Promise<readonly string[]> {
  const problems: string[] = []
  const seen = new Map<number, number>()
  while (!until()) {
    for (const [id, fence, status, owner] of await ledger.all(
      'SELECT id, fence, status, owner FROM migration_checkpoints',
    )) {
      if (Number(fence) < (seen.get(Number(id)) ?? 0)) problems.push(`the fence of ${Number(id)} fell`)
      if (status === 'in_progress' && owner === null) problems.push(`${Number(id)} is in progress and nobody's`)
      seen.set(Number(id), Number(fence))
    }
    await sleep(100)
  }
  return problems
}

async function stage(): Promise<{ readonly keyspace: TestKeyspace; readonly ledger: LedgerDatabase }> {
  const keyspace = await newKeyspace()
  const ledger = await openCqlLedger(keyspace.link, keyspace.name, NEVER, { snapshotEntries: 40 })
  await prepared(ledger, keyspace.name)
  return { keyspace, ledger }
}

async function finish({ keyspace, ledger }: Awaited<ReturnType<typeof stage>>, all: readonly Child[]): Promise<void> {
  await expectWhole(ledger, all)
  const fresh = await openCqlLedger(keyspace.link, keyspace.name, NEVER)
  expect(await dump(fresh)).toBe(await dump(ledger))
  await fresh[Symbol.asyncDispose]()
  await ledger[Symbol.asyncDispose]()
  await keyspace[Symbol.asyncDispose]()
}

describe.skipIf(!CASSANDRA_AVAILABLE)('programs that share a ledger in Cassandra', () => {
  test('no confirmed write is lost if programs are killed and frozen', async () => {
    const there = await stage()
    const all = Array.from({ length: 4 }, () => startChild(there.keyspace.url, there.keyspace.name))
    let isOver = false
    const watched = watch(there.ledger, () => isOver)
    for (let round = 0; round < 4; round++) {
      await sleep(500 + Math.random() * 1000)
      const killed = all[round]
      const frozen = all.at(-1)
      killed?.process.kill('SIGKILL')
      frozen?.process.kill('SIGSTOP')
      all.push(startChild(there.keyspace.url, there.keyspace.name))
      await sleep(round === 1 ? LEASE_MS * 1.5 : 300)
      frozen?.process.kill('SIGCONT')
    }
    const codes = await Promise.all(all.map(({ ended }) => ended))
    isOver = true
    expect(await watched).toEqual([])
    expect(codes.filter((code) => code === 0).length).toBeGreaterThanOrEqual(4)
    await finish(there, all)
  }, 60_000)

  test('no confirmed write is lost if answers are lost', async () => {
    const there = await stage()
    const [host = '', port = ''] = new URL(there.keyspace.url.replace('cassandra:', 'http:')).host.split(':')
    await using proxy = await startProxy(Number(port), host)
    let sent = 0
    let cuts = 0
    proxy.onClientData((data, connection) => {
      // The server gets the request, and the program never gets an answer.
      if (data.length > 60 && ++sent % 97 === 0) {
        cuts++
        setImmediate(() => connection.cut())
      }
    })
    const url = new URL(there.keyspace.url.replace('cassandra:', 'http:'))
    url.host = `127.0.0.1:${proxy.port}`
    const all = Array.from({ length: 2 }, () =>
      startChild(url.href.replace('http:', 'cassandra:'), there.keyspace.name, 5),
    )
    all.push(startChild(there.keyspace.url, there.keyspace.name, 5))
    const codes = await Promise.all(all.map(({ ended }) => ended))
    expect(codes).toEqual([0, 0, 0])
    expect(cuts).toBeGreaterThan(1)
    await finish(there, all)
  }, 60_000)

  test('if the tables of a ledger are lost, the hint names a remedy, and another keyspace works', async () => {
    await using keyspace = await newKeyspace()
    const options = 'retry_seconds=2&request_timeout=3'
    await using link = await connectCassandra(`${keyspace.url}?${options}`)
    const token = [{ sql: 'INSERT INTO migration_tokens (token) VALUES (?)', parameters: ['a'] }]
    const ledger = await openCqlLedger(link, keyspace.name, NEVER)
    await prepareLedger(ledger)
    await ledger.batch(token)
    for (const name of ['head', 'log', 'part']) await keyspace.cql(`DROP TABLE sluice_ledger_${name}`)
    const error: unknown = await ledger.batch(token).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ hint: expect.stringMatching(/another keyspace|once more|again/) })
    await ledger[Symbol.asyncDispose]()

    await using other = await newKeyspace()
    await using elsewhere = await connectCassandra(`${other.url}?${options}`)
    await using anew = await openCqlLedger(elsewhere, other.name, NEVER)
    await prepareLedger(anew)
    await anew.batch(token)
    expect(await anew.all('SELECT token FROM migration_tokens')).toEqual([['a']])
  }, 60_000)
})

/**
 * Chunks that a program has read, or is about to read, when it loses its stream: none is written once another program
 * has the stream.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeLateTable } from '../../src/engine/copy/ledger/late-tables.ts'
import { ChunkLedger } from '../../src/engine/copy/ledger/chunks.ts'
import type { RunOwner } from '../../src/engine/copy/ledger/owner.ts'
import { Planning } from '../../src/engine/copy/ledger/planning.ts'
import { RunLedger } from '../../src/engine/copy/ledger/runs.ts'
import { prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import type { CopyRun } from '../../src/engine/copy/copy-run.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { StreamLedger } from '../../src/engine/copy/ledger/streams.ts'
import { streamFence } from '../../src/engine/copy/ledger/stream-lease.ts'
import { streamNamed } from '../../src/engine/copy/ledger/stream-lookup.ts'
import type { FollowOperation } from '../../src/engine/follow/operations/follow/declaration.ts'
import { performFollow } from '../../src/engine/follow/operations/follow/perform.ts'
import { takeStream } from '../../src/engine/follow/stream/take-stream.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { newOwner } from '../../src/shared/owner.ts'
import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'
import { makePlace, missing } from '../support/copy-systems.ts'

const KEY = { schema: 's', name: 't' }
const STREAM = '5'
const CHUNKS = 40
const LAPSED = 'UPDATE migration_streams SET lease_until = 1'
const RUN = { operation: 'copy', source: 'a', target: 'b', planHash: 'h', command: 'c', tool: 't', actor: 'a' }

let runs = 0n
const ownerAt = (host: string): RunOwner => ({ ...newOwner(host), machine: `boot/${host}`, runId: ++runs })

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-fence-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A stream whose table has pending chunks only. */
async function begun(ledger: LedgerDatabase, owner: RunOwner): Promise<void> {
  await prepareLedger(ledger)
  for (const name of ['migration_streams', 'migration_stream_tables', 'migration_stream_lanes'] as const)
    await makeLateTable(ledger, name)
  const book = new RunLedger(ledger, owner)
  await book.start(RUN, true)
  const plan = { source: 'a', sourceTable: 't', hash: 'h', plan: '{}', wishes: '{}', chunkRows: 10, planned: true }
  await book.savePlan(KEY, { ...plan, madeHere: false }, false)
  const planning = new Planning(ledger, KEY, owner)
  expect(await planning.take()).toBe(true)
  const ranges = Array.from({ length: CHUNKS }, (_, at) => ({
    kind: 'key' as const,
    lo: JSON.stringify([String(at)]),
    hi: JSON.stringify([String(at + 1)]),
    startId: null,
    endId: null,
  }))
  await new ChunkLedger(ledger, KEY, owner).add(ranges, 1, planning)
  await planning.end()
  const streams = new StreamLedger(ledger, owner)
  await streams.begin({ id: STREAM, source: 'a', sourceIdentity: 'a', wishes: '{}' }, [{ key: KEY, source: 't' }], 't')
}

function takenBy(ledger: LedgerDatabase, owner: RunOwner, events: EventBody[] = []): Promise<number> {
  const run = { owner, runId: String(owner.runId), interrupt: new Interrupter(), emit: (event: EventBody) => void events.push(event) } // prettier-ignore
  return takeStream(new StreamLedger(ledger, owner), STREAM, run as unknown as CopyRun)
}

function chunksOf(ledger: LedgerDatabase, owner: RunOwner, fence: number): ChunkLedger {
  const chunks = new ChunkLedger(ledger, KEY, owner)
  chunks.claims.requireGuard(streamFence(STREAM, fence))
  return chunks
}

describe.each(['postgresql', 'mysql', 'sqlite', 'duckdb'] as const)('a stream that changes hands in %s', (system) => {
  async function opened(body: (one: LedgerDatabase, other: LedgerDatabase) => Promise<void>): Promise<void> {
    const place = await makePlace(system, folder)
    await using store = await openCopyStore(place.url, { mode: 'write' })
    await using one = await store.ledger()
    await using other = await store.ledger()
    await body(one, other)
  }

  test('chunks of the earlier program are released, and it can claim none any more', async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    await opened(async (ledger) => {
      const [before, next] = [ownerAt('before'), ownerAt('next')]
      await begun(ledger, before)
      const mine = chunksOf(ledger, before, await takenBy(ledger, before))
      const claim = await mine.claims.claim(null)
      expect(claim).toMatchObject({ no: 1 })
      await ledger.batch([{ sql: LAPSED, parameters: [] }])
      const events: EventBody[] = []
      const theirs = chunksOf(ledger, next, await takenBy(ledger, next, events))
      expect(events).toEqual([{ type: 'chunk.released', table: 't', chunk: '1', reason: 'lease' }])
      await expect(mine.claims.current(claim!)).rejects.toMatchObject({ code: 'LEASE_LOST' })
      await expect(mine.claims.claim(null)).rejects.toMatchObject({ code: 'LEASE_LOST' })
      await expect(new StreamLedger(ledger, before).noteState(STREAM, [KEY], 'catchup', '1')).rejects.toMatchObject({
        code: 'LEASE_LOST',
      })
      expect(await ledger.all('SELECT state FROM migration_stream_tables')).toEqual([['copying']])
      expect(await theirs.claims.claim(null)).toMatchObject({ no: 1, fence: 2 })
    })
  })

  test('claims that run at the same time end with LEASE_LOST', async (context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    await opened(async (one, other) => {
      const [before, next] = [ownerAt('before'), ownerAt('next')]
      await begun(one, before)
      const mine = chunksOf(one, before, await takenBy(one, before))
      await one.batch([{ sql: LAPSED, parameters: [] }])
      const claiming = (async () => {
        for (let taken = 0; taken < CHUNKS; taken++) if ((await mine.claims.claim(null)) === null) break
      })().catch((error: unknown) => error)
      while (
        Number((await other.all(`SELECT COUNT(*) FROM migration_checkpoints WHERE status = 'in_progress'`))[0]?.[0]) < 3
      );
      await takenBy(other, next)
      expect(await claiming).toMatchObject({ code: 'LEASE_LOST' })
      const held = await other.all(`SELECT COUNT(*) FROM migration_checkpoints WHERE status = 'in_progress'`)
      expect(held.map((row) => row.map(Number))).toEqual([[0]])
    })
  })
})

test('a run of another stream does not hide the stream of that number, and --end by its number is refused', async () => {
  const place = await makePlace('sqlite', folder)
  const later = ownerAt('later')
  const within = async <T>(body: (ledger: LedgerDatabase) => Promise<T>): Promise<T> => {
    await using store = await openCopyStore(place.url, { mode: 'write' })
    await using ledger = await store.ledger()
    return await body(ledger)
  }
  await within(async (ledger) => {
    await begun(ledger, ownerAt('one'))
    const other = { id: '6', source: 'b', sourceIdentity: 'b', wishes: '{}' }
    await new StreamLedger(ledger, { ...later, runId: BigInt(STREAM) }).begin(other, [], 't')
    expect((await streamNamed(ledger, STREAM))?.id).toBe(STREAM)
    await new StreamLedger(ledger, { ...later, runId: 77n }).begin(other, [], 't')
    expect((await streamNamed(ledger, '77'))?.id).toBe('6')
  })
  const run = { owner: later, runId: String(later.runId), interrupt: new Interrupter(), emit: () => undefined }
  const end = { operation: 'follow', stream: '77', to: place.url, end: true } as unknown as FollowOperation
  await expect(performFollow(end, run as unknown as CopyRun)).rejects.toThrow(/77 is a run of stream 6/)
  expect((await within((ledger) => streamNamed(ledger, '6')))?.status).toBe('begun')
})

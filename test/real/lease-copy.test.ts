/**
 * Leases of chunks and tables of a copy: no program takes that of a live program elsewhere, and that of a dead one of
 * this machine is taken at once.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ChunkLedger } from '../../src/engine/copy/ledger/chunks.ts'
import { markKilled } from '../../src/engine/copy/ledger/killed-runs.ts'
import type { RunOwner } from '../../src/engine/copy/ledger/owner.ts'
import { Planning } from '../../src/engine/copy/ledger/planning.ts'
import { RunLedger } from '../../src/engine/copy/ledger/runs.ts'
import { prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { reclaimDead, reclaimExpired } from '../../src/engine/copy/workers/reclaim.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { newOwner } from '../../src/shared/owner.ts'
import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'
import { makePlace, missing } from '../support/copy-systems.ts'
import { LEASE_CASES, NOBODYS_PID } from '../support/lease-owners.ts'

const KEY = { schema: 's', name: 't' }
let runs = 0n
const me = (more: Partial<RunOwner> = {}): RunOwner => ({ ...newOwner('here'), runId: ++runs, ...more })

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-lease-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const RUN = { operation: 'copy', source: 'a', target: 'b', planHash: 'h', command: 'c', tool: 't', actor: 'a' }

/** A ledger with a table that `owner` is dividing, and one chunk that it has claimed. */
async function heldBy(ledger: LedgerDatabase, owner: RunOwner): Promise<void> {
  await prepareLedger(ledger)
  for (const table of ['checkpoints', 'plans', 'runs'])
    await ledger.batch([{ sql: `DELETE FROM migration_${table}`, parameters: [] }])
  const ledgerOfRuns = new RunLedger(ledger, owner)
  await ledgerOfRuns.start(RUN, true)
  const plan = { source: 'a', sourceTable: 't', hash: 'h', plan: '{}', wishes: '{}', chunkRows: 10, planned: false }
  await ledgerOfRuns.savePlan(KEY, { ...plan, madeHere: false }, false)
  const planning = new Planning(ledger, KEY, owner)
  expect(await planning.take()).toBe(true)
  const chunks = new ChunkLedger(ledger, KEY, owner)
  await chunks.add([{ kind: 'all', lo: null, hi: null, startId: null, endId: null }], 1, planning)
  expect(await chunks.claims.claim(null)).not.toBeNull()
}

async function run(ledger: LedgerDatabase, ...statements: readonly string[]): Promise<void> {
  for (const sql of statements) await ledger.batch([{ sql, parameters: [] }])
}

const LAPSED = ['UPDATE migration_checkpoints SET lease_until = 1', 'UPDATE migration_plans SET planner_until = 1']
/** Columns that older programs do not know, so they leave them NULL. */
const OLD_COLUMNS = ['machine', 'process_started'].map((name) => `${name} = NULL`).join(', ')

describe.each(['sqlite', 'postgresql'] as const)('leases of a copy in %s', (system) => {
  async function opened<T>(body: (ledger: LedgerDatabase) => Promise<T>): Promise<T> {
    const place = await makePlace(system, folder)
    await using store = await openCopyStore(place.url, { mode: 'write' })
    await using ledger = await store.ledger()
    return await body(ledger)
  }

  test.for(LEASE_CASES)('%s', async ([, owner, ended], context) => {
    const why = await missing(system)
    context.skip(why !== '', why)
    await opened(async (ledger) => {
      await heldBy(ledger, me(owner()))
      const mine = me()
      const [planning, chunks] = [new Planning(ledger, KEY, mine), new ChunkLedger(ledger, KEY, mine)]
      await markKilled(ledger, mine)
      expect(await ledger.all('SELECT status FROM migration_runs')).toEqual([[ended ? 'killed' : 'running']])
      expect(await planning.take()).toBe(ended)
      expect(await reclaimExpired(ledger, chunks)).toEqual([])
      expect(await reclaimDead(ledger, chunks, mine)).toHaveLength(ended ? 1 : 0)
      if (!ended) {
        expect(await chunks.claims.claim(null)).toBeNull()
        await run(ledger, ...LAPSED)
        expect(await planning.take()).toBe(true)
        expect(await reclaimExpired(ledger, chunks)).toHaveLength(1)
      }
      expect(await chunks.claims.claim(null)).toMatchObject({ no: 1, fence: 2 })
      const [[planner, host, pid] = []] = await ledger.all(
        'SELECT planner, planner_host, planner_pid FROM migration_plans',
      )
      expect([planner, host, Number(pid)]).toEqual([mine.id, 'here', process.pid])
    })
  })

  test.each([
    ['ended', NOBODYS_PID, 'here', true],
    ['runs', process.pid, 'here', false],
    ['runs elsewhere', NOBODYS_PID, 'elsewhere', false],
  ] as const)('a lease of an earlier version that %s', async (_, pid, host, ended) => {
    await opened(async (ledger) => {
      await heldBy(ledger, me())
      const id = `${host}/${pid}/${newOwner().id}`
      await run(
        ledger,
        // The columns that only this version has keep the values of an earlier owner.
        `UPDATE migration_checkpoints SET owner = '${id}', host = '${host}', pid = ${pid}`,
        `UPDATE migration_plans SET planner = '${id}'`,
        `UPDATE migration_runs SET host = '${host}', pid = ${pid}, ${OLD_COLUMNS}`,
      )
      const mine = me()
      await markKilled(ledger, mine)
      expect(await ledger.all('SELECT status FROM migration_runs')).toEqual([[ended ? 'killed' : 'running']])
      const chunks = new ChunkLedger(ledger, KEY, mine)
      expect(await new Planning(ledger, KEY, mine).take()).toBe(ended)
      expect(await reclaimDead(ledger, chunks, mine)).toHaveLength(ended ? 1 : 0)
      expect((await chunks.claims.claim(null)) !== null).toBe(ended)
    })
  })

  test('the same run id on two machines is two owners', async () => {
    await opened(async (ledger) => {
      const one = me({ machine: 'boot/2' })
      await heldBy(ledger, one)
      const other = me({ runId: one.runId })
      expect(await new Planning(ledger, KEY, other).take()).toBe(false)
      await expect(new Planning(ledger, KEY, other).change([])).rejects.toMatchObject({ code: 'LEASE_LOST' })
    })
  })
})

test.each([
  [new SluiceError('STOPPED', 'aborted on request'), 'stopped', 75],
  [new SluiceError('CONNECTION_LOST', 'gone'), 'failed', 4],
])('a run that ends by %s records its status and exit code', async (error, status, exit) => {
  const place = await makePlace('sqlite', folder)
  await using store = await openCopyStore(place.url, { mode: 'write' })
  await using ledger = await store.ledger()
  await prepareLedger(ledger)
  const book = new RunLedger(ledger, me())
  await book.start(RUN)
  await book.finishFailed(error)
  const [row = []] = await ledger.all('SELECT status, exit_code, detail FROM migration_runs')
  expect([row[0], Number(row[1]), row[2]]).toEqual([status, exit, error.message])
})

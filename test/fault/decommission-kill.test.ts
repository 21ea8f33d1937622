/**
 * Programs that retire an old table are killed at the COMMIT of a step: the ledger records what happened, and the same
 * command continues.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import type { PartitionDecommissionOperation } from '../../src/partition/operations/partition-decommission/declaration.ts'
import { DAY, PARKED, PARKED_SQL, parkTable, PUBLIC, PUBLIC_SQL } from '../real/decommission-kit.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { makePlace, missing, perform, type Place } from '../support/copy-systems.ts'

const PROGRAM = resolve(import.meta.dirname, 'decommission-child.mjs')
const why = await missing('postgresql')
type When = 'before' | 'during' | 'after'

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

const retire = ({ url }: Place, more: Partial<PartitionDecommissionOperation> = {}): Operation => ({
  kind: 'partition-decommission',
  from: url,
  table: PUBLIC,
  graceMs: 7 * DAY,
  inactive: false,
  undo: false,
  patienceMs: 100,
  budgetMs: 10_000,
  dryRun: false,
  ...more,
})

async function killed(operation: Operation, when: When): Promise<void> {
  const program = spawn(process.execPath, [PROGRAM], {
    env: { ...process.env, SLUICE_CHILD: JSON.stringify({ operation, when }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let complaint = ''
  program.stdout.on('data', (data: Buffer) => (complaint += data.toString()))
  program.stderr.on('data', (data: Buffer) => (complaint += data.toString()))
  await once(program, 'close')
  if (program.signalCode !== 'SIGKILL' && when !== 'during') throw new Error(`it came to its end: ${complaint}`)
}

const oid = `'${PARKED_SQL.replaceAll("'", "''")}'`

/** Whether others have rights on the table, and the step recorded in the ledger. */
async function standing(place: Place): Promise<readonly [hasRights: boolean, step: string]> {
  const [rights] = await place.rows(
    `SELECT count(*) FROM pg_class c, aclexplode(c.relacl) e WHERE c.oid = ${oid}::regclass AND e.grantee <> c.relowner`,
  )
  const [step] = await place.rows(
    `SELECT step FROM migration_decommissions WHERE step IN ('inactive', 'active') ORDER BY step_no DESC LIMIT 1`,
  )
  return [rights?.[0] !== '0', step?.[0] ?? 'active']
}

describe.skipIf(why !== '')(`a program that retires an old table${why}`, () => {
  test.each<When>(['before', 'during', 'after'])(
    'killed %s its COMMIT, the same command completes it',
    { timeout: 120_000 },
    async (when) => {
      const place = await makePlace('postgresql', folder.path)
      await using _ = await parkTable(place)
      await killed(retire(place), when)
      const [hasRights, step] = await standing(place)
      expect(step).toBe(hasRights ? 'active' : 'inactive')
      if (when !== 'during') expect(hasRights).toBe(when === 'before')
      expect((await perform(retire(place, { inactive: true }))).finished.error).toBeUndefined()
      expect(await standing(place)).toEqual([false, 'inactive'])

      await killed(retire(place, { undo: true }), when)
      const back = await standing(place)
      expect(back[1]).toBe(back[0] ? 'active' : 'inactive')
      await perform(retire(place, { undo: true }))
      expect(await standing(place)).toEqual([true, 'active'])
      await perform(retire(place, { inactive: true }))

      await killed(retire(place, { confirm: PARKED }), when)
      const [table] = await place.rows(`SELECT to_regclass(${oid}) IS NULL`)
      const [dropped] = await place.rows(`SELECT count(*) FROM migration_decommissions WHERE step = 'dropped'`)
      expect(dropped?.[0]).toBe(table?.[0] === 't' ? '1' : '0')
      if (when !== 'during') expect(table?.[0]).toBe(when === 'after' ? 't' : 'f')
      expect((await perform(retire(place, { confirm: PARKED }))).finished.error).toBeUndefined()
      expect(await place.rows(`SELECT to_regclass(${oid}) IS NULL`)).toEqual([['t']])
      // Sequence and guard were removed with this step, whichever program completed it.
      await place.sql(`INSERT INTO ${PUBLIC_SQL} (at) VALUES ('2024-05-01')`)
      expect(await place.rows(`SELECT count(*) FROM pg_proc WHERE proname LIKE 'sluice_parked%'`)).toEqual([['0']])
      expect(await place.rows(`SELECT count(*) FROM migration_decommissions WHERE step = 'dropped'`)).toEqual([['1']])
    },
  )
})

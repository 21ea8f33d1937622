/**
 * Programs that retire a database are killed at each effect: the same command continues, and no database is dropped
 * that the user has not named.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { copyAll, makeOld, retire, standing, STEPS, steps, type Moved } from '../real/decommission-database-kit.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { missing, perform } from '../support/copy-systems.ts'

const PROGRAM = resolve(import.meta.dirname, 'decommission-database-child.mjs')
const why = await missing('postgresql')

type Kill = { readonly nth: number; readonly when: 'before' | 'after' }
/** Each step has an intent in the ledger, an effect, and a row that records the effect. */
const KILLS: readonly Kill[] = [
  { nth: 1, when: 'before' },
  { nth: 2, when: 'before' },
  { nth: 3, when: 'before' },
  { nth: 3, when: 'after' },
]
const OPEN = [['t', '17']]
const CLOSED = [['f', '17']]

let folder: Folder
beforeAll(() => {
  folder = temporaryFolder()
})
afterAll(() => folder[Symbol.dispose]())

async function killed(operation: Operation, kill: Kill): Promise<void> {
  const program = spawn(process.execPath, [PROGRAM], {
    env: { ...process.env, SLUICE_CHILD: JSON.stringify({ operation, ...kill }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let complaint = ''
  program.stdout.on('data', (data: Buffer) => (complaint += data.toString()))
  program.stderr.on('data', (data: Buffer) => (complaint += data.toString()))
  await once(program, 'close')
  if (program.signalCode !== 'SIGKILL') throw new Error(`it came to its end: ${complaint}`)
}

/** Repeats the operation while the ledger is busy: a killed program holds its lock until the server notices its end. */
async function again(operation: Operation): Promise<readonly string[]> {
  for (;;) {
    const { finished, events } = await perform(operation)
    if (finished.error === undefined) return steps(events)
    if (finished.error.code !== 'LEDGER_BUSY') throw new Error(finished.error.message)
  }
}

const last = async ({ to }: Moved): Promise<string | undefined> => (await to.rows(STEPS)).at(-1)?.[0] ?? undefined

describe.skipIf(why !== '')(`a program that retires a database${why}`, () => {
  test('killed while it closes or reopens the database, the next run completes it', { timeout: 120_000 }, async () => {
    const moved = await makeOld(folder.path)
    await copyAll(moved)
    const close = retire(moved, { inactive: true })
    const undo = retire(moved, { undo: true })
    for (const kill of KILLS) {
      await killed(close, kill)
      expect(await standing(moved)).toEqual(kill.nth < 3 ? OPEN : CLOSED)
      expect(await again(close)).toEqual([kill.when === 'after' ? 'inactive found' : 'inactive done'])
      expect(await standing(moved)).toEqual(CLOSED)
      expect(await last(moved)).toBe('inactive')

      await killed(undo, kill)
      expect(await standing(moved)).toEqual(kill.nth < 3 ? CLOSED : OPEN)
      expect(await again(undo)).toEqual([kill.when === 'after' ? 'active found' : 'active done'])
      expect(await standing(moved)).toEqual(OPEN)
      expect(await last(moved)).toBe('active')

      // Interrupted and then undone, the database allows connections as before.
      await killed(close, kill)
      await again(undo)
      expect(await standing(moved)).toEqual(OPEN)
    }
  })

  test.each(KILLS)(
    'killed $when effect $nth of the drop, the next run completes it',
    { timeout: 60_000 },
    async (kill) => {
      const moved = await makeOld(folder.path)
      await copyAll(moved)
      await again(retire(moved, { inactive: true }))
      const drop = retire(moved, { graceMs: 0, confirm: moved.name })
      await killed(drop, kill)
      const isThere = kill.nth < 3
      expect(await standing(moved)).toEqual(isThere ? CLOSED : [])
      if (isThere) {
        await expect(again(retire(moved, { graceMs: 0 }))).rejects.toThrow('its name is needed')
        expect(await standing(moved)).toEqual(CLOSED)
        // The intent to drop can be undone, too.
        expect(await again(retire(moved, { undo: true }))).toEqual(['active done'])
        expect(await standing(moved)).toEqual(OPEN)
        await again(retire(moved, { inactive: true }))
        await killed(drop, kill)
      }
      expect(await again(drop)).toContain(kill.when === 'after' ? 'dropped found' : 'dropped done')
      expect(await standing(moved)).toEqual([])
      expect(await last(moved)).toBe('dropped')
    },
  )

  // PostgreSQL marks a database with the limit -2 before it removes its files.
  test('a DROP that the server interrupted can only be finished', { timeout: 60_000 }, async () => {
    const moved = await makeOld(folder.path)
    await copyAll(moved)
    await again(retire(moved, { inactive: true }))
    const drop = retire(moved, { graceMs: 0, confirm: moved.name })
    await killed(drop, { nth: 2, when: 'before' })
    const name = moved.name.replaceAll("'", "''")
    await moved.server.sql(`UPDATE pg_database SET datconnlimit = -2 WHERE datname = '${name}'`)
    const { finished } = await perform(retire(moved, { undo: true }))
    expect(finished.error).toMatchObject({
      code: 'PARTITION_REFUSED',
      hint: expect.stringContaining('--confirm=') as string,
    })
    expect(await last(moved)).toBe('dropping')
    // A run of an older version has recorded the intent to open it before the server refused.
    await moved.to.sql(
      `INSERT INTO migration_database_decommissions
       SELECT database_identity, step_no + 1, decommission_id, 'opening', database_name, run_id, done_ms, actor, tool, detail
       FROM migration_database_decommissions WHERE step = 'dropping'`,
    )
    const planned = await perform({ ...drop, dryRun: true })
    expect(steps(planned.events)).toEqual(['inactive found', 'dropped planned'])
    expect(await again(drop)).toEqual(['inactive found', 'dropped done'])
    expect(await standing(moved)).toEqual([])
  })
})

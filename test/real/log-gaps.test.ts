/** A commit is missing in the middle of a log: fsck names it, and commands that start after it report that. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { commitName } from '../../src/delta/log-path.ts'
import { makeRoom } from '../support/backend.ts'
import { temporaryFolder } from '../support/catalog-kit.ts'
import { fsckOf, importOf, perform, type Performed } from './operation-kit.ts'

const LAKE = join(import.meta.dirname, '../../fixtures/lake')
const work = temporaryFolder()
afterAll(() => work[Symbol.dispose]())

let copies = 0

/** A copy of a healthy log with 40 commits and the checkpoints 20 and 30, without these commits. */
function without(...versions: readonly number[]): string {
  const folder = join(work.path, `orders-${copies++}`)
  cpSync(join(LAKE, 'sales/orders'), folder, { recursive: true, preserveTimestamps: true })
  for (const version of versions) rmSync(join(folder, '_delta_log', commitName(version)))
  return folder
}

function logNotes({ events }: Performed): readonly string[] {
  return events.flatMap((event) => (event.type === 'log' ? [event.message] : []))
}

async function gapsIn(
  folder: string,
  version?: number,
): Promise<readonly (readonly (number | string | undefined)[])[]> {
  const { events, finished } = await perform(fsckOf(folder, version === undefined ? {} : { asOf: { version } }))
  const found = events.flatMap((event) =>
    event.type === 'fsck.finding' && event.finding === 'commit-missing' ? [[event.level, event.detail]] : [],
  )
  const checked = events.flatMap((event) =>
    event.type === 'fsck.checked' && event.check === 'history' ? [[event.looked, event.findings]] : [],
  )
  return [[finished.exitCode], ...found, ...checked]
}

test('fsck names the missing commit, and the versions that can no longer be read', async () => {
  expect(await gapsIn(without())).toEqual([[0], ['40', '0']])
  const gap = 'commits 24, 26 are missing in the log: versions 24 to 29 can no longer be read'
  for (const version of [undefined, 12, 35]) {
    expect(await gapsIn(without(24, 26), version)).toEqual([[1], ['finding', gap], ['38', '1']])
  }
})

test('a missing commit is a note if a checkpoint covers every version', async () => {
  const gap = 'commit 20 is missing in the log: a checkpoint covers each version'
  expect(await gapsIn(without(20))).toEqual([[0], ['note', gap], ['39', '0']])
})

test('a cleaned log has no missing commits', async () => {
  expect(await gapsIn(without(...Array(21).keys()))).toEqual([[0], ['19', '0']])
})

const CUT = 'commit 24 is missing, so the older commits 0 to 23, 25 to 29 and checkpoint 20 cannot be used'

test('import and history report the commits that the log has and they do not use', async () => {
  const folder = without(24)
  const catalog = await makeRoom(join(work.path, 'gap.db'))
  const imported = await perform(importOf(folder, catalog))
  expect(imported.events.findLast((event) => event.type === 'table.finished')).toMatchObject({
    historyFrom: '30',
    notes: [`answers from v30: ${CUT}`],
  })
  const history = { kind: 'history', table: folder, limit: 100 } as const
  expect(logNotes(await perform(history))).toEqual([`the list begins at v30: ${CUT}`])
  expect(logNotes(await perform({ ...history, limit: 3 }))).toEqual([
    'there are older commits; --limit lists more than 3',
  ])
  // Commits that a cleaned log still has build on commits that are gone.
  const cleaned = without(...Array(18).keys())
  expect(logNotes(await perform({ ...history, table: cleaned }))).toEqual([
    'the list begins at v20: there is no readable checkpoint for the older commits 18 to 19',
  ])
  expect(logNotes(await perform({ ...history, table: without() }))).toEqual([])
})

/** Another program takes over a chunk while it is copied here: an event reports that this program has released it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RunJournal } from '../../src/app/journal/run-journal.ts'
import { OpenChunks } from '../../src/app/alerts/causes/standing-chunks.ts'
import type { Event } from '../../src/model/run/event.ts'
import { copyOf, makePlace, perform } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-taken-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ROWS = 100
const SOON_MS = 2_000

test.each([
  ['copies', {}],
  ['compares again', { again: true }],
] as const)('while it %s', async (_, more) => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL)',
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) INSERT INTO t SELECT i, 'v' FROM n`,
  )
  const copy = copyOf(source, target, 't', { chunkRows: 50, workers: 1 })
  if ('again' in more) expect((await perform(copy)).finished).toMatchObject({ exitCode: 0 })
  let isTaken = false
  const { events } = await perform(
    { ...copy, ...more },
    {
      onEvent: (event) => {
        if (event.type !== 'chunk.started' || isTaken) return
        isTaken = true
        // The claim is committed, and no row of the chunk is written yet.
        void target.sql(
          `UPDATE migration_checkpoints SET status = 'in_progress', owner = 'another', fence = fence + 1, lease_until = ${Date.now() + SOON_MS} WHERE chunk_no = ${event.chunk}`,
        )
      },
    },
  )
  const of = (event: Event): string[] =>
    'chunk' in event && event.chunk === '1' && event.type !== 'chunk.progress' ? [event.type] : []
  expect(events.flatMap(of).slice(0, 2)).toEqual(['chunk.started', 'chunk.released'])
  const at = events.findIndex(({ type }) => type === 'chunk.released')
  expect(events[at]).toMatchObject({ table: 't', chunk: '1', reason: 'taken' })
  // The classes that list open chunks do not list this chunk any more.
  const [standing, journal] = [new OpenChunks(), new RunJournal()]
  for (const event of events.slice(0, at + 1)) {
    standing.take(event, 0)
    journal.take(event)
  }
  expect(standing.stalled(1, 0)).toEqual([])
  expect(journal.snapshot().filter((event) => event.type === 'chunk.started')).toEqual([])
})

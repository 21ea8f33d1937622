/** A plain table `s` whose first quarter of 2023 is archived and restored. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { perform, type Place, type Ran } from './copy-systems.ts'

type Run = Operation & { readonly kind: 'archive' }

/** Period of the column `d` whose rows are archived. */
const PERIOD = '2023-Q1'

/** The commands that a user would run, with a new folder below `folder` for the archive. */
export function leaveCommands(place: Pick<Place, 'url'>, folder: string, more: Partial<Run> = {}) {
  const run = {
    kind: 'archive',
    from: place.url,
    to: mkdtempSync(join(folder, 'to-')),
    tables: ['s'],
    asText: [],
    detach: true,
    dryRun: false,
    drop: false,
    partitions: [PERIOD],
    graceMs: 0,
    by: 'd',
    ...more,
  } as Run
  const drop = { ...run, drop: true, confirm: 's' } as Run
  const restore = { kind: 'restore', from: place.url, table: 's', partitions: [PERIOD], dryRun: false } as Operation
  const verify = { kind: 'archive-verify', from: place.url, tables: [], partitions: [], deep: true } as Operation
  return { run, drop, restore, verify }
}

/** The first error of a run, wherever it is reported; null where there is none. */
export function errorOf({ finished, events }: Ran): { readonly code: string; readonly text: string } | null {
  const ofPartition = events.flatMap((event) => (event.type === 'archive.state' && event.error ? [event.error] : []))
  const error = ofPartition[0] ?? finished.error
  if (error === undefined) return null
  return { code: error.code, text: `${error.message} | ${error.where ?? ''} | ${error.hint ?? ''}` }
}

export async function done(operation: Operation): Promise<Ran> {
  const ran = await perform(operation)
  expect(errorOf(ran)).toBeNull()
  expect(ran.finished).toMatchObject({ exitCode: 0 })
  return ran
}

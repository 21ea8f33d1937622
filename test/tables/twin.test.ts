/** A second replay, as plain as can be: forward, in memory, line by line. Where the two disagree, one of them is wrong. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { canonicalPath, dvId } from '../../src/delta/paths.ts'
import type { AddAction, DeletionVectorDescriptor } from '../../src/delta/actions.ts'
import type { LogSegment } from '../../src/delta/segment.ts'
import { HAVE_TABLES, NEVER, expectedTables, folderOf, handy, openTable, parquet, storeOf } from './shared-tables.ts'

type File = { readonly path: string; readonly deletionVector?: DeletionVectorDescriptor | null }

/** Splits a file into JSON objects by trying: a line, or as many lines as make one. */
function objectsOf(file: string): Record<string, unknown>[] {
  const found: Record<string, unknown>[] = []
  let held = ''
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    held += `${line}\n`
    if (held.trim() === '') continue
    try {
      found.push(JSON.parse(held) as Record<string, unknown>)
      held = ''
    } catch {
      // The object goes on.
    }
  }
  return found
}

async function naive(
  table: string,
  segment: LogSegment,
): Promise<{ active: Map<string, AddAction>; tombstones: Set<string> }> {
  const folder = folderOf(table)
  const { root } = storeOf(table)
  const active = new Map<string, AddAction>()
  const tombstones = new Set<string>()
  const keyOf = (file: File): string => JSON.stringify([canonicalPath(file.path, root), dvId(file.deletionVector)])
  const take = (object: Record<string, unknown>): void => {
    const add = object['add'] as AddAction | null | undefined
    const remove = object['remove'] as File | null | undefined
    if (add != null) {
      active.set(keyOf(add), add)
      tombstones.delete(keyOf(add))
    }
    if (remove != null) {
      active.delete(keyOf(remove))
      tombstones.add(keyOf(remove))
    }
  }
  const log = join(folder, '_delta_log')
  if (segment.checkpoint !== null) {
    const rows = await parquet()
    const columns = ['add', 'remove'].map((column) => ({
      column,
      fields: ['path', 'size', 'stats', 'deletionVector', 'partitionValues', 'modificationTime'],
    }))
    const sidecars: string[] = []
    for (const { name } of segment.checkpoint.files) {
      if (name.endsWith('.json')) {
        for (const object of objectsOf(join(log, name))) {
          take(object)
          const sidecar = object['sidecar'] as File | undefined
          if (sidecar !== undefined) sidecars.push(sidecar.path)
        }
      } else {
        for await (const bytes of rows.lines(
          join(log, name),
          [...columns, { column: 'sidecar', fields: ['path'] }],
          NEVER,
        )) {
          for (const line of bytes.toString().split('\n').filter(Boolean)) {
            const object = JSON.parse(line) as Record<string, unknown>
            take(object)
            const sidecar = object['sidecar'] as File | undefined
            if (sidecar !== undefined) sidecars.push(sidecar.path)
          }
        }
      }
    }
    for (const sidecar of sidecars) {
      for await (const bytes of rows.lines(join(log, '_sidecars', sidecar), columns, NEVER)) {
        for (const line of bytes.toString().split('\n').filter(Boolean))
          take(JSON.parse(line) as Record<string, unknown>)
      }
    }
  }
  for (const { name } of segment.commits) for (const object of objectsOf(join(log, name))) take(object)
  return { active, tombstones }
}

const names = handy(expectedTables())
  .filter(({ stated }) => stated.must_fail !== true && stated.computed_reject === undefined)
  .map(({ table }) => table)
  .filter((table) => existsSync(join(folderOf(table), '_delta_log')))

test.skipIf(!HAVE_TABLES)('the real tables are in ../shared', () => {
  expect(names.length).toBeGreaterThan(20)
})

describe.skipIf(!HAVE_TABLES)('the slow twin agrees', () => {
  test.each(names)(
    '%s',
    async (name) => {
      const table = await openTable(name)
      const snapshot = await table.snapshot({}, { allowRefused: true })
      const { active, tombstones } = await naive(name, snapshot.segment)
      let count = 0
      let wrong = 0
      for await (const block of snapshot.files({ signal: NEVER })) {
        for (const { add, path, dvId: id } of block) {
          count++
          const reference = active.get(JSON.stringify([path, id]))
          // Comparing 300,000 objects one by one with expect() takes minutes.
          if (reference?.size !== add.size || (reference.stats ?? null) !== (add.stats ?? null)) wrong++
        }
      }
      expect([count, wrong]).toEqual([active.size, 0])
      let removed = 0
      for await (const block of snapshot.tombstones(NEVER)) {
        for (const { path, dvId: id } of block) {
          removed++
          expect(tombstones).toContain(JSON.stringify([path, id]))
        }
      }
      expect(removed).toBe(tombstones.size)
    },
    120_000,
  )
})

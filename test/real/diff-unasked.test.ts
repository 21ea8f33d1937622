/** A key that one side cannot read is a row that differs. Counts that no row explains never make tables equal. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { compareRange } from '../../src/engine/copy/diff/compare.ts'
import { type RowDifference } from '../../src/engine/copy/diff/difference.ts'
import { unexplainedCounts, unprovedRange } from '../../src/engine/copy/diff/explained.ts'
import { rereadDifferences } from '../../src/engine/copy/diff/reread-differences.ts'
import { openCopyStore, openSourceStore } from '../../src/engine/copy/open-stores.ts'
import { planCopy } from '../../src/engine/copy/plan/plan-copy.ts'
import { SourceViews } from '../../src/engine/copy/source-views.ts'
import { EVERY_KEY } from '../../src/model/copy/range.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import type { SourceView } from '../../src/model/copy/source-port.ts'
import { of } from '../fault/copy-kit.ts'
import { copyOf, makePlace, perform } from '../support/copy-systems.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-unasked-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The same view, but it refuses or omits one key. */
function refusing(view: SourceView, key: string, how: 'throws' | 'empty' = 'throws'): SourceView {
  return new Proxy(view, {
    get(own, name) {
      if (name !== 'read') {
        const value: unknown = Reflect.get(own, name)
        return typeof value === 'function' ? (value.bind(own) as unknown) : value
      }
      const read: SourceView['read'] = (request, ...more) => {
        const { range } = request
        const isAsked = range.by === 'keys' && range.keys.some(([one]) => one === key)
        if (isAsked && how === 'empty') {
          const others = range.keys.filter(([one]) => one !== key)
          return own.read({ ...request, range: { by: 'keys', keys: others } }, ...more)
        }
        if (isAsked) throw new SluiceError('VALUE_REFUSED', `nobody may ask for ${key}`)
        return own.read(request, ...more)
      }
      return read
    },
  })
}

it('a row that cannot be read stays a difference at the second comparison, while others are resolved', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'CREATE TABLE t (k TEXT PRIMARY KEY NOT NULL, v TEXT)',
    "INSERT INTO t VALUES ('a', '1'), ('b', '2'), ('c', '3'), ('d', '4')",
  )
  await perform(copyOf(source, target, 't'))
  await target.sql("DELETE FROM t WHERE k IN ('b', 'c')", "UPDATE t SET v = 'other' WHERE k = 'd'")
  await using from = await openSourceStore(source.url)
  await using to = await openCopyStore(target.url, { mode: 'write' })
  const { signal } = new AbortController()
  await using views = new SourceViews(from, signal)
  const again = <T>(body: () => Promise<T>): Promise<T> => body()
  const options = copyOf(source, target, 't', { onExisting: 'append', dryRun: true })
  const [planned] = (await planCopy(options, from, to, { views, again, signal })).tables
  const plan = planned?.plan ?? null
  if (plan === null) throw new Error('no plan')
  const found: RowDifference[] = []
  const sides = { plan, source: await views.current(), target: await to.source(signal), signal }
  const none = { divided: () => undefined, settled: () => undefined, compared: () => undefined }
  const counted = await compareRange(
    sides,
    EVERY_KEY,
    async (what) => {
      if (what.kind === 'key') found.push(what.difference)
    },
    none,
  )
  expect(found.map(({ key, kind }) => `${key.join()} ${kind}`).toSorted()).toEqual([
    'b missing',
    'c missing',
    'd different',
  ])
  await target.sql("INSERT INTO t VALUES ('c', '3')")
  const inspections = {
    from: { source: (how: AbortSignal) => from.source(how) },
    to: { source: async (how: AbortSignal) => refusing(await to.source(how), 'b') },
    sides: { plan, signal },
    times: {},
  }
  const inspected = await rereadDifferences(found, inspections, false)
  expect(inspected).toMatchObject({ gone: 1, unread: 0, rows: 0n, targetRows: 1n })
  expect(inspected.differ.map(({ key, kind, unasked }) => [key.join(), kind, unasked?.message])).toEqual([
    ['b', 'missing', 'the row cannot be read in the target: nobody may ask for b'],
    ['d', 'different', undefined],
  ])
  // A row that its side has but does not find by its key is not reported as gone.
  const from1 = { source: async (how: AbortSignal) => refusing(await from.source(how), 'b', 'empty') }
  const lost = await rereadDifferences(found, { ...inspections, from: from1, to }, false)
  expect(lost).toMatchObject({ gone: 1, rows: 0n, targetRows: 1n })
  expect(lost.differ.find(({ key }) => key[0] === 'b')).toMatchObject({
    kind: 'missing',
    unasked: { message: expect.stringContaining('cannot be read in the source') },
  })
  // This one is gone: no other key is the largest up to it.
  const extra: RowDifference = { key: ['bb'], kind: 'extra', columns: [] }
  expect(await rereadDifferences([extra], { ...inspections, to }, false)).toMatchObject({
    differ: [],
    gone: 1,
    targetRows: -1n,
  })
  const [rows, targetRows] = [counted.rows + inspected.rows, counted.targetRows + inspected.targetRows]
  expect([rows, targetRows]).toEqual([4n, 3n])
  // If the row were lost here, its table would still not be reported as equal.
  expect(unexplainedCounts('t', { rows, targetRows, missing: 1n, extra: 0n })).toBeNull()
  expect(unexplainedCounts('t', { rows, targetRows, missing: 0n, extra: 0n })?.code).toBe('PROOF_FAILED')
})

it('a range whose checksums differ is proved only if row differences explain it', () => {
  const digest = (sum: string) => ({ rows: 2n, sum })
  const range = { rows: 2n, targetRows: 2n, missing: 0n, extra: 0n, source: digest('a') }
  expect(unprovedRange('chunk 1', { ...range, target: digest('a'), quarantined: 0n })).toBeNull()
  expect(unprovedRange('chunk 1', { ...range, target: digest('b'), quarantined: 0n })?.code).toBe('PROOF_FAILED')
  expect(unprovedRange('chunk 1', { ...range, target: digest('b'), quarantined: 1n })).toBeNull()
  expect(unprovedRange('chunk 1', { ...range, targetRows: 0n, target: digest('b'), quarantined: 1n })?.code).toBe(
    'PROOF_FAILED',
  )
})

it('with --where no row is removed from the target, and the hint says that the source may have it', async () => {
  const [source, target] = [await makePlace('sqlite', folder), await makePlace('sqlite', folder)]
  await source.sql(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)',
    "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')",
  )
  const copy = copyOf(source, target, 't')
  await perform(copy)
  const base = { kind: 'diff', from: copy.from, to: copy.to, tables: copy.tables, rename: {}, workers: 1 } as const
  const diff = { ...base, where: 'id <= 2', limit: 10, fix: false, deleteExtra: false }
  const compared = await perform(diff)
  expect(compared.finished).toMatchObject({ exitCode: 1, totals: { extra: '1' } })
  expect(compared.finished.error?.hint).toMatch(/outside --where/)
  const removing = await perform({ ...diff, fix: true, deleteExtra: true })
  expect(removing.finished.exitCode).not.toBe(0)
  expect(of(removing.events, 'table.finished')).toMatchObject([{ error: { code: 'BAD_FLAG' } }])
  expect(await target.rows('SELECT id FROM t')).toHaveLength(3)
})

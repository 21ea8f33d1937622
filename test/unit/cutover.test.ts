import { describe, expect, test } from 'vitest'
import { familyOf, requestedCutover } from '../../src/engine/follow/cutover/family.ts'
import { findingsCheck, CutoverChecks, type CutoverCheck } from '../../src/engine/follow/cutover/cutover-checks.ts'
import { oldTableName, reverseCopy } from '../../src/engine/follow/cutover/reverse-copy.ts'
import type { CutoverRow, CutoverStatus } from '../../src/engine/follow/cutover/cutover-row.ts'
import { TouchedRows } from '../../src/engine/follow/compare/touched-rows.ts'
import { copyOf } from '../support/copy-systems.ts'

function row(stream: string, reverse: string, turn: number, status: CutoverStatus = 'done'): CutoverRow {
  return {
    id: reverse,
    stream,
    reverse,
    turn,
    status,
    publicTable: 'public.b',
    takenTable: 'public.b_parts',
    oldTable: 'public.b_old',
    position: null,
    reversePosition: null,
    tries: 1,
    pauseMs: null,
    switchedMs: null,
    actor: 'me',
    isBetween: false,
    isLeast: false,
  }
}

describe('streams of one table', () => {
  const rows = [
    row('1', '2', 1),
    row('9', '8', 1),
    row('2', '3', 2, 'switched'),
    row('3', '4', 3, 'preparing'),
    row('1', '7', 1, 'given up'),
  ]

  test.each(['1', '2', '3'])('are found by any of them: %s', (stream) => {
    const { turns, newest, preparing } = familyOf(rows, stream)
    expect(turns.map(({ turn }) => turn)).toEqual([1, 2])
    expect(newest).toBe('3')
    expect(preparing.map(({ id }) => id)).toEqual(['4'])
  })

  test('a stream without a cutover is its own family', () => {
    expect(familyOf(rows, '5')).toEqual({ turns: [], preparing: [], newest: '5' })
  })

  test('a circular ledger does not loop for ever', () => {
    const { turns } = familyOf([row('1', '2', 1), row('2', '1', 2)], '1')
    expect(turns).toHaveLength(2)
  })

  test.each([
    [0, false, 'next'],
    [0, true, 'nothing to revert'],
    [1, false, 'done'],
    [1, true, 'next'],
    [2, false, 'next'],
    [2, true, 'done'],
  ] as const)('after %i turns, revert %s is %s', (turns, revert, wanted) => {
    expect(requestedCutover({ turns: rows.slice(0, turns) }, revert)).toBe(wanted)
  })
})

describe('the name that the old table gets', () => {
  test('is the one that it had before it got the public name', () => {
    expect(oldTableName({ schema: 'public', name: 'b' }, 'public.b "parts"')).toBe('b "parts"')
    expect(oldTableName({ schema: 'public', name: 'b' }, 'other.b')).toBe('other.b')
  })

  test('is otherwise the public name with a suffix, in 63 bytes', () => {
    expect(oldTableName({ schema: 'public', name: 'b' }, null)).toBe('b_before_cutover')
    const long = oldTableName({ schema: 'public', name: 'ä'.repeat(31) }, null)
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(63)
    expect(long).toMatch(/^ä{24}_before_cutover$/)
  })
})

test('the copy of the reverse stream drops options of the first copy that do not apply', () => {
  const first = copyOf({ url: 'a://x' }, { url: 'a://y' }, 'public.b', {
    toTable: 'twin',
    onExisting: 'replace-range',
    rename: { a: 'b' },
    with: ['indexes'],
    key: ['id'],
    follow: { fireTriggers: true, until: 'equal', lanes: 4 },
  })
  const back = reverseCopy(first, { schema: 'public', name: 'b' }, { schema: 'public', name: 'b old' })
  expect(back).toMatchObject({
    from: 'a://y',
    to: 'a://y',
    tables: ['public.b'],
    toSchema: 'public',
    toTable: 'b old',
    rename: {},
    onExisting: 'refuse',
    follow: { cdc: 'slot', fireTriggers: true },
  })
  expect(Object.keys(back)).not.toEqual(expect.arrayContaining(['key']))
  expect(Object.keys(back)).not.toEqual(expect.arrayContaining(['with']))
  expect(back.follow).not.toHaveProperty('until')
})

describe('touched rows', () => {
  test('are unknown before a comparison has begun', () => {
    const touched = new TouchedRows()
    touched.note(0, ['1'])
    expect(touched.keys(0)).toBeNull()
  })

  test('are kept once each, by table, since the last comparison began', () => {
    const touched = new TouchedRows()
    touched.begin()
    touched.note(0, ['1', null])
    touched.note(0, ['1', null])
    touched.note(0, ['1', ''])
    touched.note(1, ['9'])
    expect(touched.keys(0)).toEqual([
      ['1', null],
      ['1', ''],
    ])
    expect(touched.size).toBe(3)
    touched.begin()
    expect(touched.keys(0)).toEqual([])
  })

  test('are unknown after TRUNCATE or above the limit, until the next comparison', () => {
    const touched = new TouchedRows(2)
    touched.begin()
    for (const id of ['1', '2', '3']) touched.note(0, [id])
    expect(touched.keys(0)).toBeNull()
    touched.begin()
    touched.note(0, ['1'])
    touched.noteAll()
    touched.note(0, ['2'])
    expect(touched.keys(0)).toBeNull()
  })
})

describe('cutover checks', () => {
  test('are reported when their state changes; a refused one counts before one that waits', () => {
    const reported: CutoverCheck[] = []
    const gates = new CutoverChecks((gate) => reported.push(gate))
    gates.set({ name: 'lag', state: 'waiting', detail: '900 ms' })
    gates.set({ name: 'lag', state: 'waiting', detail: '800 ms' })
    gates.set({ name: 'lag', state: 'ok', detail: '8 ms' })
    expect(reported.map(({ detail }) => detail)).toEqual(['900 ms', '8 ms'])
    expect(gates.firstRefused).toBeNull()
    gates.set({ name: 'lock', state: 'waiting', detail: 'busy' })
    gates.set({ name: 'quarantine', state: 'refused', detail: '3 rows' })
    expect(gates.firstRefused?.name).toBe('quarantine')
  })

  test('of findings name the first refused one', () => {
    expect(
      findingsCheck([
        { verdict: 'made', about: 'view', detail: 'x' },
        { verdict: 'refused', about: 'rule', object: 'r "1"', detail: 'no', hint: 'drop it' },
        { verdict: 'refused', about: 'rule', detail: 'no' },
      ]),
    ).toEqual({ name: 'findings', state: 'refused', detail: 'rule r "1": no, and 1 more', hint: 'drop it' })
    expect(findingsCheck([{ verdict: 'left', about: 'index', detail: 'x' }])).toMatchObject({ state: 'ok' })
  })
})

/**
 * Keys of alerts, the same in all runs: literal texts of this version and the one before. If a key changes, every open
 * alert is raised again.
 */
import { expect, test } from 'vitest'
import { alertKey, alertKeyBefore } from '../../src/app/alerts/scope.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'

const [PG, MY] = ['postgresql://u:secret@h/shop', 'mysql://u:secret@h/cold']
const ENDS = ['--from', PG, '--to', MY]

async function operationOf(...words: readonly string[]): Promise<Operation> {
  const { request } = await parseCommandLine(words, {})
  if (request.kind !== 'operation') throw new Error(`${words.join(' ')} starts nothing`)
  return request.operation
}

const scopeOf = (operation: Operation): string => alertKey(operation, 'failed', '', false).scope

test.each([
  [['fsck', '/l/t', '--database-url', PG], '[2,"fsck","postgresql://u@h/shop","/l/t"]'],
  [['fsck', '/l/t', '--deep'], '[2,"fsck","deep=true","/l/t"]'],
  [['sync', 'orders', '--database-url', PG], '[2,"sync","postgresql://u@h/shop","orders"]'],
  [['archive', 'verify', '--from', PG, '--table', 't'], '[2,"archive-verify","postgresql://u@h/shop","t"]'],
  [
    ['copy', ...ENDS, '--table', 'a'],
    String.raw`[2,"copy","postgresql://u@h/shop","mysql://u@h/cold","verify=\"chunk\"","a"]`,
  ],
  [
    ['diff', ...ENDS, '--table', 'a', '--to-table', 'b'],
    String.raw`[2,"diff","postgresql://u@h/shop","mysql://u@h/cold","toTable=\"b\"","a"]`,
  ],
  [['partition', 'list', '--from', PG, '--table', 'a'], '[2,"partition-list","postgresql://u@h/shop","ahead=2","a"]'],
])('%j', async (words, scope) => {
  expect(scopeOf(await operationOf(...words))).toBe(scope)
})

test('a sample and a complete run of fsck share the alert fsck, but not failed', async () => {
  const [sample, whole] = [await operationOf('fsck', '/l/t', '--sample', '5'), await operationOf('fsck', '/l/t')]
  const keys = (cause: 'fsck' | 'failed') => [sample, whole].map((one) => alertKey(one, cause, '/l/t', false).scope)
  expect(new Set(keys('fsck')).size).toBe(1)
  expect(new Set(keys('failed')).size).toBe(2)
})

test('options on how a copy is recorded, split and written do not change its alert key; its token range does', async () => {
  const copy = await operationOf('copy', ...ENDS, '--table', 'a')
  const more = (fields: object): string => scopeOf({ ...copy, ...fields })
  const same = [
    { track: { runId: '1' } },
    { track: { previous: '1', runId: '2' } },
    { script: { auto: [] } },
    { cassandra: { pageRows: 7, writetime: '1700000000000000' } },
    { ring: { splits: 9 } },
  ]
  for (const fields of same) expect(more(fields)).toBe(scopeOf(copy))
  const [low, high] = [more({ ring: { splits: 9, max: '0' } }), more({ ring: { splits: 8, min: '1' } })]
  expect(new Set([low, high, scopeOf(copy)]).size).toBe(3)
  expect(more({ ring: { splits: 1, max: '0' } })).toBe(low)
})

test("the key has a table's name unchanged, except that fsck names and names with a slash become absolute paths", async () => {
  const sync = await operationOf('sync', 'orders', '--database-url', PG)
  expect(alertKey(sync, 'drift', 'orders', false).table).toBe('orders')
  const fsck = await operationOf('fsck', 'orders')
  expect(alertKey(fsck, 'fsck', 'orders', false).table).toBe(`${process.cwd()}/orders`)
  const path = await operationOf('sync', './orders', '--database-url', PG)
  expect(alertKey(path, 'drift', './orders', false).table).toBe(`${process.cwd()}/orders`)
  // In a queue all paths are absolute already.
  const queued = { ...sync, tables: ['lake/orders'] } as Operation
  expect(alertKey(queued, 'drift', 'lake/orders', true).table).toBe('lake/orders')
  expect(alertKey(queued, 'failed', '', true).scope).toBe('[2,"sync","postgresql://u@h/shop","lake/orders"]')
})

test.each([
  [['fsck', '/l/t', '--database-url', PG], 't', '["fsck","postgresql://u@h/shop","asOf={}"]'],
  [['fsck', '/l/t', '--deep'], '', '["fsck","asOf={}","deep=true","/l/t"]'],
  [
    ['archive', 'verify', '--from', PG, '--table', 't'],
    '',
    '["archive-verify","postgresql://u@h/shop","partitions=[]","t"]',
  ],
  [
    ['archive', 'verify', '--from', PG, '--table', 't'],
    't',
    '["archive-verify","postgresql://u@h/shop","partitions=[]"]',
  ],
  [['copy', ...ENDS, '--table', 'a'], '', '["copy","postgresql://u@h/shop","mysql://u@h/cold","a"]'],
])('%j, table %j, has the key of the version before', async (words, table, scope) => {
  expect(alertKeyBefore(await operationOf(...words), 'failed', table)).toEqual({ scope, cause: 'failed', table })
})

/** By what an alert is known from run to run: literal texts, as this version and the one before it note them. A change of one makes every alert that stands a new one. */
import path from 'node:path'
import { expect, test } from 'vitest'
import { alertKey, alertKeyBefore } from '../../src/app/alerts/scope.ts'
import type { Operation } from '../../src/app/operations/list.ts'
import { parseCommandLine } from '../../src/cli/parse.ts'

const [PG, MY] = ['postgresql://u:secret@h/shop', 'mysql://u:secret@h/cold']

async function operationOf(...words: readonly string[]): Promise<Operation> {
  const { request } = await parseCommandLine(words, {})
  if (!('operation' in request)) throw new Error(`${words.join(' ')} starts nothing`)
  return request.operation as Operation
}

test.each([
  [['fsck', '/l/t', PG], '[2,"fsck","postgresql://u@h/shop","/l/t"]'],
  [['fsck', '/l/t', '--deep'], '[2,"fsck","deep=true","/l/t"]'],
  [['sync', 'orders', '--database-url', PG], '[2,"sync","postgresql://u@h/shop","orders"]'],
  [['archive', 'verify', '--to', '/a', 't'], ''],
  [['copy', '--from', PG, '--to', MY, '--table', 'a'], ''],
  [['diff', '--from', PG, '--to', MY, '--table', 'a', '--to-table', 'b'], ''],
  [['partition', 'list', '--from', PG, '--table', 'a'], ''],
  [['archive', 'expire', '--to', '/a', 't'], ''],
])('%j is noted as %s', async (words, scope) => {
  expect(alertKey(await operationOf(...words), 'failed', '', false).scope).toBe(scope)
})

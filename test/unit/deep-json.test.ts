/** JSON nested deeper than the stack: every reader refuses it with an error, or handles it without recursion. */
import { describe, expect, test } from 'vitest'
import { parseAction } from '../../src/delta/parse-action.ts'
import { parseSchema } from '../../src/delta/schema.ts'
import { parsed } from '../../src/engine/lake/compare/rows.ts'
import { canonicalJson } from '../../src/model/copy/canonical.ts'
import { SluiceError } from '../../src/shared/errors.ts'

const DEEP = 50_000
const lists = '['.repeat(DEEP) + ']'.repeat(DEEP)
const objects = '{"a":'.repeat(DEEP) + '0' + '}'.repeat(DEEP)

function refusal(body: () => unknown): SluiceError | null {
  try {
    body()
    return null
  } catch (error) {
    if (error instanceof SluiceError) return error
    throw error
  }
}

describe.each([
  ['lists', lists],
  ['objects', objects],
])('%s', (_, deep) => {
  test.each([
    ['an unknown action', `{"zzz":${deep}}`],
    ['a commitInfo', `{"commitInfo":{"operationParameters":${deep}}}`],
    ['a field that should be text', `{"add":{"path":${deep}}}`],
    ['no object', deep],
  ])('in %s of a log are refused with the line', (_name, line) => {
    const error = refusal(() => parseAction(line, () => '7.json:3'))
    expect(error).toMatchObject({ code: 'BAD_ACTION', where: '7.json:3' })
    expect(error?.message).toMatch(/nested more than 1000 deep/)
  })

  test('in metadata of a schema are refused', () => {
    const field = `{"name":"a","type":"long","nullable":true,"metadata":{"comment":${deep}}}`
    expect(refusal(() => parseSchema(`{"type":"struct","fields":[${field}]}`))?.code).toBe('BAD_SCHEMA')
  })

  test('in a cell of a copy are refused', () => {
    const error = refusal(() => canonicalJson(deep))
    expect(error?.code).toBe('VALUE_REFUSED')
    expect(error?.message).toMatch(/nested more than 2000 deep/)
  })

  test('are compared as text', () => {
    expect(parsed(deep)).toBe(deep)
  })
})

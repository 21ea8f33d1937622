/** Statistics that are invalid or unusual JSON: an import and the reader of the log count the same rows by them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { numRecordsOf } from '../../src/delta/stats.ts'
import { add, METADATA, PROTOCOL, writeLog } from '../support/catalog-kit.ts'
import { differencesOf, imported, validated } from './validate-setup.ts'

const WHOLE = '{"numRecords":2,"minValues":{"id":1,"s":"a\\"}b"},"maxValues":{"id":[2,{}]},"tightBounds":true}'

const ODD = [
  ...Array.from({ length: WHOLE.length + 1 }, (_, end) => WHOLE.slice(0, end)),
  'NaN',
  'nan',
  '-Infinity',
  '-inf',
  '.5',
  '5.',
  '01',
  '+1',
  '1e999',
  'abc',
  'tru',
  'TRUE',
  '1 2',
  '[}',
  '{]',
  '[1,]',
  '[,]',
  '[1,,]',
  '"\\x"',
  '"\t"',
  '"\\ud800"',
  '"\\ud83d\\ude00"',
  '{"b":1,}',
  '{,}',
  '1nan',
  '"nan,}',
  '/**/1',
].map((text) => (text.startsWith('{"n') ? text : `{"numRecords":2,"a":${text}}`))
const TEXTS = [
  ...ODD,
  '',
  'null',
  '{}',
  '[{"numRecords":2}]',
  '\ufeff{"numRecords":2}',
  '{"numRecords":2}}',
  '{"numRecords":2,}',
  '{"numRecords":02}',
  '{"numRecords":2.0}',
  '{"numRecords":"2"}',
  '{"num\\u0052ecords":2}',
  '{"numRecords":nan}',
  '{"numRecords":9007199254740993}',
  '{"numRecords":9999999999999999}',
  '{"numRecords":2,"numRecords":3}',
  '{"a":1,"numRecords":2,"numRecords":3}',
]

test('an import counts the rows of the log, whatever its statistics look like', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-statistics-'))
  try {
    // Each file is removed when the next is added, so that each version has a count of its own.
    writeLog(folder, [
      [PROTOCOL, METADATA],
      ...TEXTS.map((stats, i) => [
        ...(i === 0 ? [] : [{ remove: { path: `f-${i - 1}`, deletionTimestamp: 1, dataChange: true } }]),
        add(`f-${i}`, { stats }),
      ]),
    ])
    await using subject = await imported(folder)
    const { events } = await validated(subject)
    expect(differencesOf(events)).toEqual([])
    expect(numRecordsOf(WHOLE)).toBe(2)
    expect(numRecordsOf(WHOLE.slice(0, -1))).toBeNull()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

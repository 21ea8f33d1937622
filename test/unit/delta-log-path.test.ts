import { describe, expect, test } from 'vitest'
import { commitName, crcName, parseLogName } from '../../src/delta/log-path.ts'

const V = '00000000000000000012'
const UUID = '80a083e8-7026-4e79-81be-64bd76c43a11'

describe('names of log files', () => {
  test.each([
    [`${V}.json`, { kind: 'commit', version: 12 }],
    [`${V}.crc`, { kind: 'crc', version: 12 }],
    [`${V}.checkpoint.parquet`, { kind: 'checkpoint', version: 12, form: 'classic' }],
    [
      `${V}.checkpoint.0000000002.0000000003.parquet`,
      { kind: 'checkpoint', version: 12, form: 'multipart', part: 2, parts: 3 },
    ],
    [`${V}.checkpoint.${UUID}.json`, { kind: 'checkpoint', version: 12, form: 'v2', format: 'json' }],
    [`${V}.checkpoint.${UUID}.parquet`, { kind: 'checkpoint', version: 12, form: 'v2', format: 'parquet' }],
    [`${V}.00000000000000000015.compacted.json`, { kind: 'compacted', from: 12, to: 15 }],
    ['_last_checkpoint', { kind: 'lastCheckpoint' }],
  ])('%s', (name, expected) => {
    expect(parseLogName(name)).toEqual({ ...expected, name })
  })

  test.each([
    `.${V}.json.crc`,
    `._${V}.json`,
    '12.json',
    `${V}.json.tmp`,
    `${V}.JSON`,
    `${V}.${UUID}.json`,
    `0${V}.json`,
    `${V}.checkpoint.0000000000.0000000003.parquet`,
    `${V}.checkpoint.0000000004.0000000003.parquet`,
    `${V}.checkpoint.1.2.parquet`,
    `${V}.checkpoint.nonsense.parquet`,
    `${V}.checkpoint.json`,
    `${V}.00000000000000000012.compacted.json`,
    `${V}.00000000000000000011.compacted.json`,
    '99999999999999999999.json',
    '_last_vacuum_info',
    'info.txt',
    '.s3-optimization-0',
    '',
  ])('%s is no log file of the protocol', (name) => {
    expect(parseLogName(name)).toBeNull()
  })

  test('names have 20 digits', () => {
    expect([commitName(0), crcName(7)]).toEqual(['00000000000000000000.json', '00000000000000000007.crc'])
    expect(parseLogName(commitName(Number.MAX_SAFE_INTEGER))).toMatchObject({ version: Number.MAX_SAFE_INTEGER })
  })
})

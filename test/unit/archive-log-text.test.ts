/** Names and texts of an archive's log are read back exactly, whatever they contain. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addLine, commitInfoLine, removeLine, statsText, txnLine } from '../../src/archive/log/commit-text.ts'
import { logUri, partitionFolder } from '../../src/archive/log/data-path.ts'
import { isCheckpointDue } from '../../src/archive/log/checkpoint.ts'
import { parseAction } from '../../src/delta/parse-action.ts'
import { canonicalPath, resolveDataPath } from '../../src/delta/paths.ts'
import { isWellFormed } from '../../src/shared/well-formed.ts'

const ROOT = 'file:///lake/odd%20%25/t'
const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }).filter(isWellFormed)

describe('paths', () => {
  test('a partition is one folder below the root, and readers resolve its paths', () => {
    fc.assert(
      fc.property(text, text, (column, value) => {
        const folder = partitionFolder(column, value)
        expect(folder).not.toMatch(/[/\0]/)
        expect(['', '.', '..']).not.toContain(folder)
        expect(Buffer.byteLength(folder)).toBeLessThanOrEqual(200)
        const path = `${folder}/part-1-00000.parquet`
        expect(canonicalPath(logUri(path), ROOT)).toBe(path)
        expect(resolveDataPath(logUri(path), ROOT)).toEqual({ path, inside: true })
      }),
    )
  })

  test('different values have different folders', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(partitionFolder('q', a) === partitionFolder('q', b)).toBe(a === b)
      }),
    )
    const long = 'x'.repeat(300)
    expect(partitionFolder('q', `${long}a`)).not.toBe(partitionFolder('q', `${long}b`))
  })

  test('folder names are those of Spark', () => {
    expect(partitionFolder('quarter', 'Q2-FY25')).toBe('quarter=Q2-FY25')
    expect(partitionFolder('at', '2024-01-01 10:00')).toBe('at=2024-01-01 10%3A00')
    expect(logUri('at=2024-01-01 10%3A00/a.parquet')).toBe('at=2024-01-01%2010%253A00/a.parquet')
  })
})

describe('actions', () => {
  const file = {
    name: 'q=a/1.parquet',
    bytes: 2n ** 53n - 1n,
    rows: 7n,
    sha256: '',
    digest: { rows: 7n, sum: '' },
    stats: {
      numRecords: 2n ** 63n - 1n,
      min: { 'a"b': '-9223372036854775808', d: '0.10000000000000000000000000000000000001' },
      max: { 'a"b': '9223372036854775807', t: '"ü\\n"' },
      nullCount: { 'a"b': 2n ** 60n },
    },
    extents: {},
  }

  test('numbers keep all their digits', () => {
    expect(statsText(file.stats)).toBe(
      '{"numRecords":9223372036854775807,"minValues":{"a\\"b":-9223372036854775808,"d":0.10000000000000000000000000000000000001},"maxValues":{"a\\"b":9223372036854775807,"t":"ü\\n"},"nullCount":{"a\\"b":1152921504606846976}}',
    )
    const txn = parseAction(txnLine({ appId: 'a"', version: 2n ** 63n - 1n }, 5), () => 'here')
    expect(txn).toEqual({ kind: 'txn', txn: { appId: 'a"', version: '9223372036854775807', lastUpdated: 5 } })
  })

  test('an added file is read back as written, and its remove repeats its fields', () => {
    const line = addLine(file, { q: 'a' }, { sum: '1' }, 1_700_000_000_000)
    const action = parseAction(line, () => 'here')
    if (action.kind !== 'add') throw new Error(action.kind)
    expect(action.add).toEqual({
      path: 'q=a/1.parquet',
      partitionValues: { q: 'a' },
      size: Number(file.bytes),
      modificationTime: 1_700_000_000_000,
      dataChange: true,
      stats: statsText(file.stats),
      tags: { sum: '1' },
    })
    expect(JSON.parse(removeLine({ ...action.add, path: 'a%20b' }, 9))).toEqual({
      remove: {
        path: 'a%20b',
        deletionTimestamp: 9,
        dataChange: true,
        extendedFileMetadata: true,
        partitionValues: { q: 'a' },
        size: Number(file.bytes),
        tags: { sum: '1' },
      },
    })
  })

  test('no two commits have the same commitInfo, and extra fields do not overwrite the fixed ones', () => {
    const facts = {
      operation: 'WRITE',
      parameters: {},
      metrics: { numFiles: 1 },
      engine: 'sluice/1',
      now: 5,
      readVersion: null,
      isBlindAppend: true,
      info: { operation: 'other', runId: '7' },
    } as const
    expect(commitInfoLine(facts)).not.toBe(commitInfoLine(facts))
    expect(JSON.parse(commitInfoLine(facts))).toMatchObject({
      commitInfo: { timestamp: 5, operation: 'WRITE', operationMetrics: { numFiles: '1' }, runId: '7' },
    })
  })
})

test('a checkpoint is due every ten commits, and after each commit if one is missing', () => {
  const due = (newest: number | null): readonly number[] =>
    Array.from({ length: 45 }, (_, version) => version).filter((version) => isCheckpointDue(version, newest))
  expect(due(40)).toEqual([10, 20, 30, 40])
  expect(due(null).slice(0, 4)).toEqual([10, 20, 21, 22])
})

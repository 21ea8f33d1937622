/**
 * Kinds of actions in lines of the log: importer (delta/parse-action) and validator (SQL in catalog/validate) share no
 * code on purpose, and must agree on every line that the importer accepts.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LogLoader } from '../../src/catalog/validate/load-log.ts'
import { LINE_SOURCE, prepareScratch } from '../../src/catalog/validate/scratch.ts'
import { parseAction } from '../../src/delta/commit-lines.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { openDuckdb } from '../../src/stores/duckdb/sql-database.ts'

const FILE = { path: 'a', partitionValues: {}, size: 1, modificationTime: 1, dataChange: true }
const ACTIONS: Readonly<Record<string, unknown>> = {
  add: FILE,
  remove: { path: 'a', deletionTimestamp: 1, dataChange: true },
  metaData: {
    id: 'm',
    format: { provider: 'parquet', options: {} },
    schemaString: '{}',
    partitionColumns: [],
    configuration: {},
  },
  protocol: { minReaderVersion: 1, minWriterVersion: 2 },
  txn: { appId: 'x', version: 1 },
  domainMetadata: { domain: 'd', configuration: '', removed: false },
  cdc: { path: 'c', partitionValues: {}, size: 1, dataChange: false },
  commitInfo: { operation: 'WRITE' },
  sidecar: { path: 's', sizeInBytes: 1, modificationTime: 1 },
  checkpointMetadata: { version: 1 },
}
/** Includes names that JavaScript orders first, names in other letters, and names with a meaning for one side only. */
const STRANGE = [
  'future',
  '1',
  '0',
  '',
  'Add',
  'METADATA',
  '__proto__',
  'a.b',
  '$',
  'raw',
  'kind',
  '\u00e9',
  '"',
  'a\\',
]

const member = fc.oneof(
  fc.constantFrom(...Object.keys(ACTIONS)).map((name): [string, unknown] => [name, ACTIONS[name]]),
  fc.constantFrom(...Object.keys(ACTIONS)).map((name): [string, unknown] => [name, null]),
  fc.tuple(fc.constantFrom(...STRANGE), fc.constantFrom<unknown>({}, null, 1, 'x', [], { path: 'a' }, FILE)),
)
const line = fc
  .uniqueArray(member, { maxLength: 4, selector: ([name]) => name })
  .map((members) => `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`)

/** Null if the importer refuses the line. */
function imported(raw: string): string | null {
  try {
    const action = parseAction(raw, () => '')
    return action.kind === 'unknown' ? `unknown:${action.name}` : action.kind
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'BAD_ACTION') return null
    throw error
  }
}

async function validated(lines: readonly string[]): Promise<readonly string[]> {
  const content = Buffer.from(lines.join('\n'))
  const log: Pick<LogStore, 'read'> = {
    read: async function* () {
      yield content
    },
  }
  await using scratch = await openDuckdb(':memory:', 'write')
  await prepareScratch(scratch)
  const loader = new LogLoader(log as LogStore, scratch, new AbortController().signal)
  await loader.add(
    { version: 0, name: '00000000000000000000.json', size: content.length, modified: 0 },
    LINE_SOURCE.commit,
  )
  await loader.flush()
  const rows = await scratch.all(
    `SELECT line, 'add' FROM log_add UNION ALL SELECT line, kind FROM log_other ORDER BY line, 2`,
  )
  const removes = await scratch.all('SELECT line FROM log_remove ORDER BY line')
  expect(removes.map(([at]) => at)).toEqual(rows.flatMap(([at, kind]) => (kind === 'remove' ? [at] : [])))
  expect(rows.map(([at]) => Number(at))).toEqual(lines.map((_, i) => i + 1))
  return rows.map(([, kind]) => String(kind))
}

test('importer and validator find the same kind of action in every line', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 300, maxLength: 400 }), async (drawn) => {
      const lines = drawn.filter((raw) => imported(raw) !== null)
      if (lines.length === 0) return
      const found = await validated(lines)
      expect(lines.map((raw, i) => [raw, found[i]])).toEqual(lines.map((raw) => [raw, imported(raw)]))
    }),
    // Report the first failing input: shrinking would exceed the time of a test.
    { numRuns: 4, endOnFailure: true },
  )
})

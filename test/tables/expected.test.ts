/** Every real table against what its own source states of it, and against a slow replay by somebody else. */
import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/shared/errors.ts'
import { readCrc } from '../../src/delta/crc.ts'
import { probeTable } from '../../src/delta/probe.ts'
import type { ActiveFile, Snapshot } from '../../src/delta/snapshot.ts'
import { numRecordsOf } from '../../src/delta/stats.ts'
import type { DeltaTable } from '../../src/delta/table.ts'
import { HAVE_TABLES, NEVER, expectedTables, folderOf, openTable, parquet, storeOf } from './shared-tables.ts'
import type { ExpectedTable } from './shared-tables.ts'

const CAUSES: readonly (readonly [RegExp, string])[] = [
  [/protocol reader version/, 'PROTOCOL_VERSION'],
  [/No metadata|no metaData/, 'MISSING_METADATA'],
  [/No protocol|no protocol/, 'MISSING_PROTOCOL'],
  [/not contiguous/, 'LOG_GAP'],
  [/not a Delta table/, 'NO_LOG'],
]

/** The replay of the tables' collector goes by the text of paths, where these four name one file in two ways. */
const TOMBSTONES_EXCLUDED: ReadonlySet<string> = new Set(['delta-spark/delta-0.1.0'])

async function filesOf(snapshot: Snapshot): Promise<readonly ActiveFile[]> {
  const files: ActiveFile[] = []
  for await (const block of snapshot.files({ signal: NEVER })) files.push(...block)
  return files
}

function rowsOf(files: readonly ActiveFile[]): number | null {
  let rows = 0
  for (const { add } of files) {
    const records = numRecordsOf(add.stats)
    if (records === null) return null
    rows += records - (add.deletionVector?.cardinality ?? 0)
  }
  return rows
}

async function checkStated(table: DeltaTable, name: string, stated: NonNullable<ExpectedTable['stated']['latest']>, at?: number) {
  const snapshot = await table.snapshot(at === undefined ? {} : { version: at }, { allowRefused: true })
  const state = await snapshot.state(NEVER)
  const files = await filesOf(snapshot)
  if (stated.version !== undefined) expect(snapshot.version).toBe(stated.version)
  if (stated.numFiles !== undefined) expect(files.length).toBe(stated.numFiles)
  if (stated.sizeBytes !== undefined) expect(files.reduce((sum, { add }) => sum + add.size, 0)).toBe(stated.sizeBytes)
  const rows = rowsOf(files)
  // Without statistics only the data files know.
  if (stated.rows !== undefined && rows !== null) expect(rows).toBe(stated.rows)
  if (stated.numRecords !== undefined) expect(rows).toBe(stated.numRecords)
  if (stated.files !== undefined) expect(files.map(({ path }) => path).sort()).toEqual([...stated.files].sort())
  if (stated.filesEqualDir === true) {
    const found = readdirSync(folderOf(name)).filter((file) => file.endsWith('.parquet') && !file.startsWith('.'))
    for (const { path } of files) expect(found).toContain(path)
  }
  if (stated.txns !== undefined) expect(state.txns.size).toBe(stated.txns)
  if (stated.txnVersion !== undefined) {
    expect(state.txns.get(stated.txnVersion[0])?.version).toBe(String(stated.txnVersion[1]))
  }
  if (stated.minReaderVersion !== undefined) expect(state.protocol.minReaderVersion).toBe(stated.minReaderVersion)
  if (stated.minWriterVersion !== undefined) expect(state.protocol.minWriterVersion).toBe(stated.minWriterVersion)
  if (stated.tombstones !== undefined) expect(await tombstonesOf(snapshot)).toBe(stated.tombstones)
}

async function tombstonesOf(snapshot: Snapshot): Promise<number> {
  let count = 0
  for await (const block of snapshot.tombstones(NEVER)) count += block.length
  return count
}

async function checkReplayed(table: DeltaTable, expected: ExpectedTable): Promise<void> {
  const { replayed, stated } = expected
  if (replayed === null || replayed.error !== undefined) return
  const snapshot = await table.snapshot({}, { allowRefused: true })
  const state = await snapshot.state(NEVER)
  const files = await filesOf(snapshot)
  const latest = stated.latest ?? {}
  expect(snapshot.version).toBe(replayed.version)
  if (latest.numFiles === undefined || latest.numFiles === replayed.numFiles) {
    expect(files.length).toBe(replayed.numFiles)
    expect(files.reduce((sum, { add }) => sum + add.size, 0)).toBe(replayed.sizeBytes)
    expect(files.filter(({ dvId }) => dvId !== null).length).toBe(replayed.dvFiles)
  }
  expect(state.txns.size).toBe(replayed.txns)
  expect([...state.domains.keys()].sort()).toEqual([...replayed.domains].sort())
  expect(state.protocol.minReaderVersion).toBe(replayed.minReaderVersion)
  expect(state.protocol.minWriterVersion).toBe(replayed.minWriterVersion)
  expect([...(state.protocol.readerFeatures ?? [])].sort()).toEqual([...(replayed.readerFeatures ?? [])].sort())
  expect([...(state.protocol.writerFeatures ?? [])].sort()).toEqual([...(replayed.writerFeatures ?? [])].sort())
  expect(state.metadata.id).toBe(replayed.metadataId)
  expect(state.metadata.partitionColumns ?? []).toEqual(replayed.partitionColumns)
  const counts = await snapshot.counts(NEVER)
  expect(counts.files).toBe(files.length)
  expect(counts.bytes).toBe(files.reduce((sum, { add }) => sum + BigInt(add.size), 0n))
  expect(counts.rows === null ? null : Number(counts.rows)).toBe(rowsOf(files))
  if (!TOMBSTONES_EXCLUDED.has(expected.table)) expect(await tombstonesOf(snapshot)).toBe(replayed.tombstones)
}

async function checkFailure(expected: ExpectedTable): Promise<void> {
  const reason = expected.stated.reason ?? expected.stated.computed_reject ?? ''
  const code = CAUSES.find(([pattern]) => pattern.test(reason))?.[1]
  expect(code, `cause of '${reason}'`).toBeDefined()
  const error: unknown = await openTable(expected.table).then((table) => table.snapshot()).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(SluiceError)
  expect((error as SluiceError).code).toBe(code)
  if (code === 'LOG_GAP') expect((error as SluiceError).message).toMatch(/commit 1 is missing/)
}

async function checkChecksums(table: DeltaTable, expected: ExpectedTable): Promise<void> {
  const store = storeOf(expected.table)
  for (const [version, [files, bytes]] of Object.entries(expected.stated['crc_by_version_[numFiles,tableSizeBytes]'] ?? {})) {
    const crc = await readCrc(store, Number(version), NEVER)
    expect([crc?.numFiles, crc?.tableSizeBytes]).toEqual([files, bytes])
    const snapshot = await table.snapshot({ version: Number(version) }, { allowRefused: true })
    const counts = await snapshot.counts(NEVER)
    expect([version, counts.files, Number(counts.bytes)]).toEqual([version, files, bytes])
    const state = await snapshot.state(NEVER)
    if (crc?.metadata != null) expect(state.metadata.id).toBe(crc.metadata.id)
    if (crc?.protocol != null) expect(state.protocol.minReaderVersion).toBe(crc.protocol.minReaderVersion)
    if (crc?.txns != null) expect(state.txns.size).toBe(crc.txns.length)
  }
}

describe.skipIf(!HAVE_TABLES)('real tables', () => {
  test.each(expectedTables().map((expected) => [expected.table, expected] as const))('%s', async (name, expected) => {
    const { stated } = expected
    if (stated.must_fail === true || stated.computed_reject !== undefined) {
      await checkFailure(expected)
      return
    }
    const table = await openTable(name)
    if (stated.latest !== undefined) await checkStated(table, name, stated.latest)
    for (const [version, values] of Object.entries(stated.versions ?? {})) {
      await checkStated(table, name, values, Number(version))
    }
    await checkReplayed(table, expected)
    await checkChecksums(table, expected)
    const facts = await probeTable(storeOf(name), parquet, NEVER)
    if (facts.refusal === null) {
      const counts = await (await table.snapshot()).counts(NEVER)
      expect([facts.version, facts.files, facts.bytes]).toEqual([table.listing.latest, counts.files, counts.bytes])
    } else expect(facts.refusal.code).toMatch(/TABLE_FEATURE|PROTOCOL_VERSION/)
  })
})

test.skipIf(HAVE_TABLES)('real tables are not here: set SLUICE_SHARED', (context) => {
  context.skip()
})

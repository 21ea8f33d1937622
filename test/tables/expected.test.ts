/** Every real table against what its own source states of it, and against a slow replay by somebody else. */
import { readdirSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/shared/errors.ts'
import { readCrc } from '../../src/delta/crc.ts'
import { probeTable } from '../../src/delta/probe.ts'
import type { ActiveFile, Snapshot } from '../../src/delta/snapshot.ts'
import { numRecordsOf } from '../../src/delta/stats.ts'
import type { DeltaTable } from '../../src/delta/table.ts'
import { HAVE_TABLES, NEVER, expectedTables, folderOf, handy, openTable, parquet, storeOf } from './shared-tables.ts'
import type { ExpectedTable, Stated } from './shared-tables.ts'

/** Collects what differs, so that one run names all of it. */
class Comparison {
  readonly differences: { readonly what: string; readonly ours: unknown; readonly stated: unknown }[] = []

  /** Nothing is compared where nothing is stated. */
  same(what: string, ours: unknown, stated: unknown): void {
    if (stated !== undefined && !isDeepStrictEqual(ours, stated)) this.differences.push({ what, ours, stated })
  }
}

const CAUSES: readonly (readonly [RegExp, string, RegExp])[] = [
  [/protocol reader version/, 'PROTOCOL_VERSION', /reader version \(99\)/],
  [/No metadata|no metaData/, 'MISSING_METADATA', /^no metadata action in /],
  [/No protocol|no protocol/, 'MISSING_PROTOCOL', /^no protocol action in /],
  [/not contiguous/, 'LOG_GAP', /^commit 1 is missing between commit 0 and commit 2$/],
  [/not a Delta table/, 'NO_LOG', /^No checkpoint or JSON files found$/],
]

/** Files of the versions that were read, by table: several checks ask for the newest. */
const read = new WeakMap<DeltaTable, Map<number, readonly ActiveFile[]>>()

async function filesOf(table: DeltaTable, snapshot: Snapshot): Promise<readonly ActiveFile[]> {
  const known = read.get(table) ?? new Map<number, readonly ActiveFile[]>()
  read.set(table, known)
  const before = known.get(snapshot.version)
  if (before !== undefined) return before
  const files: ActiveFile[] = []
  for await (const block of snapshot.files({ signal: NEVER })) files.push(...block)
  known.set(snapshot.version, files)
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

async function tombstonesOf(snapshot: Snapshot): Promise<number> {
  let count = 0
  for await (const block of snapshot.tombstones(NEVER)) count += block.length
  return count
}

async function checkStated(
  found: Comparison,
  table: DeltaTable,
  stated: Stated,
  version: number | undefined,
  folder: string,
): Promise<void> {
  const at = version === undefined ? 'latest' : `version ${version}`
  const snapshot = await table.snapshot(version === undefined ? {} : { version }, { allowRefused: true })
  const state = await snapshot.state(NEVER)
  const files = await filesOf(table, snapshot)
  const paths = files.map(({ path }) => path).toSorted()
  found.same(`${at}: version`, snapshot.version, stated.version ?? version)
  found.same(`${at}: files`, files.length, stated.numFiles)
  found.same(`${at}: bytes`, sum(files), stated.sizeBytes)
  const rows = rowsOf(files)
  // Without statistics only the data files know their rows.
  found.same(`${at}: rows`, rows, rows === null ? undefined : stated.rows)
  found.same(`${at}: records`, rows, stated.numRecords)
  found.same(`${at}: paths`, paths, stated.files?.toSorted())
  if (stated.filesEqualDir === true) {
    const present = new Set(readdirSync(folder))
    found.same(
      `${at}: files that are not in the folder`,
      paths.filter((path) => !present.has(path)),
      [],
    )
  }
  found.same(`${at}: transactions`, state.txns.size, stated.txns)
  const [appId, txnVersion] = stated.txnVersion ?? []
  found.same(`${at}: version of ${appId}`, state.txns.get(appId ?? '')?.version, txnVersion?.toString())
  found.same(`${at}: reader version`, state.protocol.minReaderVersion, stated.minReaderVersion)
  found.same(`${at}: writer version`, state.protocol.minWriterVersion, stated.minWriterVersion)
  if (stated.tombstones !== undefined) found.same(`${at}: tombstones`, await tombstonesOf(snapshot), stated.tombstones)
}

function sum(files: readonly ActiveFile[]): number {
  return files.reduce((bytes, { add }) => bytes + add.size, 0)
}

async function checkReplayed(found: Comparison, table: DeltaTable, expected: ExpectedTable): Promise<void> {
  const { replayed, stated } = expected
  if (replayed === null) return
  const snapshot = await table.snapshot({}, { allowRefused: true })
  const { protocol, metadata, txns, domains } = await snapshot.state(NEVER)
  const files = await filesOf(table, snapshot)
  const latest = stated.latest ?? {}
  const contradicted = latest.numFiles !== undefined && latest.numFiles !== replayed.numFiles
  found.same('replayed version', snapshot.version, replayed.version)
  if (!contradicted) {
    found.same('replayed files', files.length, replayed.numFiles)
    found.same('replayed bytes', sum(files), replayed.sizeBytes)
    found.same('replayed deletion vectors', files.filter(({ dvId }) => dvId !== null).length, replayed.dvFiles)
  }
  found.same('replayed transactions', txns.size, replayed.txns)
  found.same('replayed domains', [...domains.keys()].toSorted(), replayed.domains.toSorted())
  found.same('replayed reader version', protocol.minReaderVersion, replayed.minReaderVersion)
  found.same('replayed writer version', protocol.minWriterVersion, replayed.minWriterVersion)
  found.same('reader features', (protocol.readerFeatures ?? []).toSorted(), (replayed.readerFeatures ?? []).toSorted())
  found.same('writer features', (protocol.writerFeatures ?? []).toSorted(), (replayed.writerFeatures ?? []).toSorted())
  found.same('metadata id', metadata.id, replayed.metadataId)
  found.same('partition columns', metadata.partitionColumns ?? [], replayed.partitionColumns)
  // A checkpoint leaves expired tombstones out; `notes` says where that shows.
  const excluded = /tombstone sets may differ/.test(expected.notes ?? '')
  if (!excluded) found.same('replayed tombstones', await tombstonesOf(snapshot), replayed.tombstones)
  const counts = await snapshot.counts(NEVER)
  const rows = counts.rows === null ? null : Number(counts.rows)
  found.same('counts', [counts.files, Number(counts.bytes), rows], [files.length, sum(files), rowsOf(files)])
  // Our rows take deletion vectors off, theirs do not say: compare where there are none.
  if (!contradicted && replayed.dvFiles === 0) found.same('replayed records', rows, replayed.numRecords)
}

async function checkChecksums(found: Comparison, table: DeltaTable, expected: ExpectedTable): Promise<void> {
  const checksums = expected.stated['crc_by_version_[numFiles,tableSizeBytes]'] ?? {}
  for (const [version, [files, bytes]] of Object.entries(checksums)) {
    const crc = await readCrc(table.store, Number(version), NEVER)
    found.same(`${version}.crc`, [crc?.numFiles, crc?.tableSizeBytes], [files, bytes])
    const snapshot = await table.snapshot({ version: Number(version) }, { allowRefused: true })
    const counts = await snapshot.counts(NEVER)
    found.same(`version ${version} by its checksum`, [counts.files, Number(counts.bytes)], [files, bytes])
    const { protocol, metadata, txns } = await snapshot.state(NEVER)
    found.same(`metadata of ${version}.crc`, metadata.id, crc?.metadata?.id)
    found.same(`protocol of ${version}.crc`, protocol.minReaderVersion, crc?.protocol?.minReaderVersion)
    found.same(`transactions of ${version}.crc`, txns.size, crc?.txns?.length)
  }
}

async function checkProbe(found: Comparison, table: DeltaTable, expected: ExpectedTable): Promise<void> {
  const facts = await probeTable(storeOf(expected.table), parquet, NEVER)
  if (facts.refusal !== null) {
    found.same('refused for a feature', ['TABLE_FEATURE', 'PROTOCOL_VERSION'].includes(facts.refusal.code), true)
    return
  }
  const files = await filesOf(table, await table.snapshot())
  const counted = [table.latest, files.length, BigInt(sum(files))]
  found.same('probed', [facts.version, facts.files, facts.bytes], counted)
}

async function failureOf(table: string): Promise<readonly [string, string]> {
  try {
    await (await openTable(table)).snapshot()
    return ['no error', '']
  } catch (error) {
    return error instanceof SluiceError ? [error.code, error.message] : ['crash', String(error)]
  }
}

const fails = ({ stated }: ExpectedTable): boolean => stated.must_fail === true || stated.computed_reject !== undefined
const tables = expectedTables()

test.skipIf(!HAVE_TABLES)('the real tables are in ../shared', () => {
  expect(tables.length).toBeGreaterThan(20)
})

describe.skipIf(!HAVE_TABLES)('real tables', () => {
  test.each(
    handy(tables)
      .filter((one) => !fails(one))
      .map((one) => [one.table, one] as const),
  )(
    '%s',
    async (name, expected) => {
      const found = new Comparison()
      const table = await openTable(name)
      const { latest, versions } = expected.stated
      if (latest !== undefined) await checkStated(found, table, latest, undefined, folderOf(name))
      for (const [version, stated] of Object.entries(versions ?? {})) {
        await checkStated(found, table, stated, Number(version), folderOf(name))
      }
      await checkReplayed(found, table, expected)
      await checkChecksums(found, table, expected)
      await checkProbe(found, table, expected)
      expect(found.differences).toEqual([])
    },
    120_000,
  )
})

describe.skipIf(!HAVE_TABLES)('real tables that must fail', () => {
  test.each(tables.filter(fails).map((one) => [one.table, one] as const))('%s', async (name, { stated }) => {
    const reason = stated.reason ?? stated.computed_reject ?? ''
    const [, code, message] = CAUSES.find(([pattern]) => pattern.test(reason)) ?? [null, `cause of '${reason}'`, /^$/]
    const failure = await failureOf(name)
    expect(failure[0]).toBe(code)
    expect(failure[1]).toMatch(message)
  })
})

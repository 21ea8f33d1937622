/**
 * Erases rows of one partition: rewrites its files without them, replaces the files in the Delta table in one commit,
 * and deletes the rows of the source in the transaction that updates the ledger. After a kill the ledger is unchanged,
 * and the same command starts again.
 */
import { join } from 'node:path'
import type { ArchivedFile, InspectedFile } from '../../model/archive/archived-file.ts'
import type { RowTest } from '../../model/archive/row-test.ts'
import { equalDigests, type Digest } from '../../model/copy/rows.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import { isDiskExhausted } from '../../shared/guide-errors.ts'
import type { Closing, Statement } from '../../model/run/ledger-port.ts'
import type { ErasedNow } from '../ledger/erasure-ledger.ts'
import { digestSum } from '../../model/copy/row-hash.ts'
import { wholeOf, type ArchiveContext, type ClaimedPartition } from '../steps/context.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { partitionsNow } from '../steps/detached-table.ts'
import { dataFolder, newPrefix, removeParts } from '../steps/export.ts'
import { localFiles } from '../steps/local-files.ts'
import { archivedFiles } from '../steps/prove.ts'
import { appIdOf, uploadFiles, knownOf, loggedWith, tagsOf } from '../steps/publish.ts'
import { changedAfter } from '../steps/refusals.ts'
import { proofOf, requireDone } from '../steps/step-end.ts'
import { placeDigest, fileTest, foundRows, type ErasedRows, type FoundFile, type SourcePlace } from './found.ts'

export type ErasureOf = {
  readonly wanted: ErasedRows
  readonly reason: string
  /** Statements that record the erased rows, in the transaction that ends the erasure. */
  readonly recordStatements: (place: string, now: ErasedNow, guard: Statement) => readonly Statement[]
  /** Query that returns a row once the erasure is recorded. */
  readonly recordedQuery: (place: string, fence: bigint) => Statement
}

/** Maximum number of attempts: another program may write to the rows in the meantime. */
const TRIES = 5

/**
 * @returns rows erased from files and from the source; null if the partition holds none
 * @throws SluiceError PROOF_FAILED if the old files minus these rows differ from the new files; PARTITION_CHANGED,
 * ARCHIVE_CONFLICT, LEASE_LOST, NO_SPACE
 */
export async function erasePartition(
  context: ArchiveContext,
  work: ClaimedPartition,
  erasure: ErasureOf,
): Promise<{ readonly archivedRows: bigint; readonly sourceRows: bigint; readonly files: number } | null> {
  const { partition, held } = work
  const attached = await partitionsNow(context)
  const { files, place, source } = await foundRows(context, partition, erasure.wanted, attached)
  if (files.length === 0 && source.rows === 0n) return null
  const archivedRows = files.reduce((sum, { digest }) => sum + digest.rows, 0n)
  const rewritten = files.length === 0 ? null : await rewrite(context, work, files, erasure)
  const { state } = partition
  const moved = (sourceRows: bigint): Closing => {
    const left = rewritten?.digest ?? proofOf(partition)
    const version = rewritten?.version ?? partition.version
    const closing = context.ledger.closing(
      held,
      state,
      state,
      rewritten === null
        ? { error: null, unheld: true }
        : {
            error: null,
            unheld: true,
            digest: left,
            files: rewritten.files,
            version: rewritten.version,
            logged: rewritten.files.map(({ path }) => path),
          },
    )
    const { fence, label } = held
    const noting = erasure.recordStatements(label, { fence, archivedRows, sourceRows, left, version }, closing.guard)
    return { ...closing, statements: [...closing.statements, ...noting], landed: erasure.recordedQuery(label, fence) }
  }
  if (place === null || source.rows === 0n) {
    await context.ledger.close(held, moved(0n))
    return { archivedRows, sourceRows: 0n, files: files.length }
  }
  const sourceRows = await removeFrom(context, place, source, moved, (end) =>
    requireDone(end, context, partition, (how) => changedAfter(context.name, partition, how)),
  )
  return { archivedRows, sourceRows, files: files.length }
}

type Rewritten = {
  readonly files: readonly ArchivedFile[]
  readonly digest: Digest
  readonly version: number
}

async function rewrite(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  found: readonly FoundFile[],
  { wanted: { test }, reason }: ErasureOf,
): Promise<Rewritten> {
  const { archived, name, runId, interrupt, writer } = context
  const going = new Set(found.map(({ file }) => file.path))
  const kept = partition.files.filter(({ path }) => !going.has(path))
  const folder = await dataFolder(context, partition.label)
  const prefix = newPrefix(context, held)
  const files: InspectedFile[] = []
  let etags: ReadonlyMap<string, string>
  try {
    await cutFiles(context, partition, found, { test, folder, prefix, files })
    etags = await uploadFiles(context, partition, files)
  } catch (thrown) {
    await discard(context, folder, prefix, files)
    throw thrown
  }
  const digest = digestSum([...kept.map(({ rows, sum }) => ({ rows, sum })), ...files.map((one) => one.digest)])
  const log = await context.log()
  const commit = {
    tableId: archived.archiveId,
    partition: partition.label,
    kept: new Set(kept.map(({ path }) => path)),
    files,
    tags: tagsOf(context, partition),
    txn: { appId: appIdOf(context, partition.label), version: held.fence },
    info: { table: name, partition: partition.label, run: runId, reason, rows: digest.rows.toString() },
    known: knownOf(partition),
    claim: { ...held, state: partition.state, logged: loggedWith(partition, files) },
  }
  try {
    const { version } = await log.replace(commit, interrupt.abort)
    return { files: [...kept, ...archivedFiles(files, etags)], digest, version }
  } catch (thrown) {
    // On a full disk the commit was not written. After any other error this is unknown, so the files stay.
    if (writer.folder !== null && isDiskExhausted(asSluiceError(thrown))) {
      const own = await log.own(interrupt.abort).catch(() => undefined)
      const logged = own?.files.get(partition.label) ?? []
      const isNamed = logged.some(({ path }) => files.some((file) => file.name === path))
      if (own !== undefined && !isNamed) await discard(context, folder, prefix, files)
    }
    throw thrown
  }
}

/**
 * Removes files of a failed attempt; no version of the Delta table refers to them. The next attempt may need their disk
 * space.
 */
async function discard(
  { writer, interrupt }: ArchiveContext,
  folder: string,
  prefix: string,
  files: readonly InspectedFile[],
): Promise<void> {
  await removeParts(folder, prefix)
  if (writer.folder !== null) return
  for (const { name } of files) await writer.remove(name, interrupt.abort).catch(() => undefined)
}

type Cutting = {
  readonly test: RowTest
  readonly folder: string
  readonly prefix: string
  /** Receives the new files, after their proof. */
  readonly files: InspectedFile[]
}

/** Writes each file again without the rows to erase. @throws SluiceError PROOF_FAILED, NO_SPACE */
async function cutFiles(
  context: ArchiveContext,
  partition: ArchivedPartition,
  found: readonly FoundFile[],
  { test, folder, prefix, files }: Cutting,
): Promise<void> {
  const { archived, name, fileBytes, interrupt, writer, spool } = context
  const parquet = await context.parquet()
  const root = writer.folder ?? spool
  const below = folder.slice(root.length + 1)
  const ofFiles = fileTest(context, partition, test)
  const names = new Set(partition.columns.map((column) => column.name))
  const { stored } = archived
  const table = { ...stored, columns: partition.columns, sortBy: stored.sortBy.filter((one) => names.has(one)) }
  await using local = await localFiles(
    context,
    found.map(({ file }) => file),
  )
  for (const [i, { file, digest }] of found.entries()) {
    const written = await parquet.rewrite({
      file: local.paths[i] ?? '',
      test: ofFiles,
      table,
      folder,
      prefix: `${prefix}-${i}`,
      fileBytes,
      signal: interrupt.abort,
    })
    const paths = written.map((one) => join(below, one.name))
    const inspected = await parquet.inspect({
      columns: partition.columns,
      files: paths.map((path) => join(root, path)),
      signal: interrupt.abort,
    })
    // The checksum of the old file was proved against the source. Checksums of rows add up, so they can be subtracted
    // as well.
    const left = digestSum(inspected.map((one) => one.digest))
    if (!equalDigests(less({ rows: file.rows, sum: file.sum }, digest), left)) {
      throw new SluiceError(
        'PROOF_FAILED',
        `${file.path} was rewritten without the erased rows, but the new file has other rows than expected`,
        {
          where: `${name}, ${partition.label}`,
          reason: `${file.rows} rows minus ${digest.rows} erased ones were expected; ${left.rows} were read, or their values differ`,
          hint: 'nothing was changed; run sluice archive verify to check the file',
        },
      )
    }
    files.push(...inspected.map((one, n) => ({ ...one, name: paths[n] ?? one.name })))
  }
}

/**
 * Deletes rows of the source in the transaction that runs the statements of `closing`, if the rows still have the
 * expected digest. Otherwise it computes their digest again, and retries.
 * @param judge called with the result of the last try; throws an error for a failed one
 * @returns number of deleted rows
 */
export async function removeFrom(
  context: ArchiveContext,
  place: SourcePlace,
  first: Digest,
  closing: (rows: bigint) => Closing,
  judge: (end: 'done' | 'differs' | 'gone' | 'fenced') => void,
): Promise<bigint> {
  const { store, interrupt } = context
  const { table, where, columns } = place
  const target = store.target()
  if (target.remove === undefined) throw new Error('the store cannot remove rows')
  let expect = first
  for (let tried = 1; ; tried++) {
    const end = await target.remove({
      table,
      columns,
      range: wholeOf(table),
      where,
      expect,
      closing: closing(expect.rows),
      signal: interrupt.abort,
    })
    if (end !== 'differs' || tried === TRIES) {
      judge(end)
      return expect.rows
    }
    await using view = await store.source(interrupt.abort)
    expect = await placeDigest(context, view, place)
  }
}

function less(a: Digest, b: Digest): Digest {
  const sum = BigInt(`0x${a.sum}`) - BigInt(`0x${b.sum}`)
  return { rows: a.rows - b.rows, sum: sum < 0n ? '-' : sum.toString(16).padStart(16, '0') }
}

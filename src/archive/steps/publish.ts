/** Adds proved files to the Delta table, in one commit. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArchivedFile, InspectedFile } from '../../model/archive/archived-file.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext, ClaimedPartition } from './context.ts'
import { sha256InPlace } from './local-files.ts'
import type { Publication } from './log.ts'
import { columnsName } from '../log/properties.ts'
import { archivedFiles } from './prove.ts'
import { otherArchive } from './refusals.ts'

/**
 * @param files proved files, with paths relative to the root
 * @returns the version of the Delta table with these files, and the files in the form of the ledger
 * @throws SluiceError ARCHIVE_CONFLICT, TARGET_DENIED, NO_SPACE, TARGET_IO
 */
export async function publishFiles(
  context: ArchiveContext,
  work: ClaimedPartition,
  files: readonly InspectedFile[],
): Promise<{ readonly version: number; readonly files: readonly ArchivedFile[] }> {
  const log = await context.log()
  // If the log is missing, do not create a new table: it would lack all other partitions.
  if (context.published && (await log.own(context.interrupt.abort)) === null) {
    throw otherArchive(context.name, work.partition, 'its Delta log is gone')
  }
  const etags = await uploadFiles(context, work.partition, files)
  const { version } = await log.publish(publication(context, work, files), context.interrupt.abort)
  return { version, files: archivedFiles(files, etags) }
}

/**
 * Adds existing files of an older version to the Delta table again, without changing its columns.
 * @throws SluiceError PARTITION_CHANGED if a file is missing; ARCHIVE_CONFLICT
 */
export async function addFilesAgain(
  context: ArchiveContext,
  work: ClaimedPartition,
  files: readonly InspectedFile[],
): Promise<{ readonly version: number }> {
  const log = await context.log()
  return log.publish({ ...publication(context, work, files), keepsShape: true }, context.interrupt.abort)
}

/** State of a partition in the ledger while a commit removes its files from the Delta table. */
const STATE_AFTER = { restore: 'RESTORED', expire: 'EXPIRED' } as const

/**
 * Removes the files of a partition from the Delta table; the files stay until a sweep.
 * @param at time of the removal, ms since the epoch; default: the time of the commit
 */
export async function retractFiles(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  step: 'restore' | 'expire',
  at?: number,
): Promise<void> {
  const log = await context.log()
  // Flush first: a crash must not lose the state in ledger and source after the log has removed the files.
  await context.store.offers.durability?.flushed(context.interrupt.abort)
  await log.retract(
    {
      partition: partition.label,
      tableId: context.archived.archiveId,
      txn: { appId: appIdOf(context, partition.label), version: held.fence },
      info: { ...infoOf(context, partition), step },
      known: knownOf(partition),
      claim: { ...held, state: STATE_AFTER[step], logged: null },
      ...(at === undefined ? {} : { at }),
    },
    context.interrupt.abort,
  )
}

/** Uploads files from the spool folder to a bucket, and reads them back. @returns ETags by name, if there are any */
export async function uploadFiles(
  context: ArchiveContext,
  partition: ArchivedPartition,
  files: readonly InspectedFile[],
): Promise<ReadonlyMap<string, string>> {
  const { writer, reader, spool, interrupt } = context
  const etags = new Map<string, string>()
  if (writer.folder !== null) return etags
  for (const { name, sha256 } of files) {
    const file = join(spool, name)
    await writer.upload(name, file, interrupt.abort)
    const etag = (await reader.head(name, interrupt.abort))?.etag ?? null
    if ((await sha256InPlace(context, name, etag)) !== sha256) {
      throw otherArchive(context.name, partition, `${name} was stored with other bytes`)
    }
    if (etag !== null) etags.set(name, etag)
    await rm(file, { force: true })
  }
  return etags
}

function publication(
  context: ArchiveContext,
  { partition, held }: ClaimedPartition,
  files: readonly InspectedFile[],
): Publication {
  const { archived, store, name } = context
  const source = redactUrl(store.label)
  return {
    tableId: archived.archiveId,
    stored: archived.stored,
    name,
    // An existing table is identified by its id; the address of the source may have changed.
    configuration: context.published ? {} : { 'sluice.source': source, 'sluice.table': name },
    partition: partition.label,
    files,
    tags: tagsOf(context, partition),
    info: infoOf(context, partition),
    txn: { appId: appIdOf(context, partition.label), version: held.fence },
    known: knownOf(partition),
    claim: { ...held, state: partition.state, logged: loggedWith(partition, files) },
  }
}

/** Tags with the proof of a file; the log keeps them permanently. */
export function tagsOf(
  { store, name, tool, runId }: ArchiveContext,
  { label, period, part, from, to, native, columns, chosenBy }: ArchivedPartition,
): Publication['tags'] {
  return ({ digest, sha256 }) => ({
    'sluice.source': redactUrl(store.label),
    'sluice.table': name,
    'sluice.partition': label,
    ...(part === 1 ? {} : { 'sluice.period': period, 'sluice.part': String(part) }),
    ...(from === null ? {} : { 'sluice.from': from }),
    ...(to === null ? {} : { 'sluice.to': to }),
    // Defined in docs/reference/CANONICAL.md.
    'sluice.checksum': digest.sum,
    'sluice.sha256': sha256,
    // A lost ledger is rebuilt from these tags: the name of the column set, and the native table of the partition. The
    // properties of the table have the column set itself.
    'sluice.columns': columnsName(columns),
    ...(native === null ? {} : { 'sluice.native': nativeText(native) }),
    ...(chosenBy === null ? {} : { 'sluice.chosenBy': chosenBy }),
    'sluice.tool': tool,
    'sluice.run': runId,
  })
}

function nativeText({ table: { schema, name }, identity }: NonNullable<ArchivedPartition['native']>): string {
  return JSON.stringify({ ...(schema === undefined ? {} : { schema }), name, identity })
}

/** Paths that the log may name for the partition; null if an older program kept no list. */
export function knownOf({ logged }: ArchivedPartition): ReadonlySet<string> | null {
  return logged === null ? null : new Set(logged)
}

/** Paths that the log may name after a commit, including files of killed attempts; null if the ledger has no list. */
export function loggedWith({ logged }: ArchivedPartition, files: readonly InspectedFile[]): readonly string[] | null {
  return logged === null ? null : [...new Set([...logged, ...files.map(({ name }) => name)])]
}

function infoOf(
  { name, runId }: ArchiveContext,
  { label, digest }: ArchivedPartition,
): Readonly<Record<string, string>> {
  return {
    table: name,
    partition: label,
    run: runId,
    ...(digest === null ? {} : { rows: digest.rows.toString(), checksum: digest.sum }),
  }
}

/** Application id of a partition's transactions, whose versions are fencing tokens: the greatest is valid. */
export function appIdOf({ name }: Pick<ArchiveContext, 'name'>, label: string): string {
  return `sluice/${name}/${label}`
}

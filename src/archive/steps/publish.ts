/** Proved files become part of the Delta table, in one commit. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ArchivedFile, ExaminedFile } from '../../model/archive/archived-file.ts'
import { redactUrl } from '../../shared/redact.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import type { ArchiveContext, Work } from './context.ts'
import { sha256InPlace } from './local-files.ts'
import type { Publication } from './log.ts'
import { columnsName } from '../log/properties.ts'
import { archivedFiles } from './prove.ts'
import { otherArchive } from './refusals.ts'

/**
 * @param files with paths relative to the root
 * @returns the version of the Delta table that names them, and the files as the ledger keeps them
 * @throws SluiceError ARCHIVE_CONFLICT, TARGET_DENIED, NO_SPACE, TARGET_IO
 */
export async function publishFiles(
  context: ArchiveContext,
  work: Work,
  files: readonly ExaminedFile[],
): Promise<{ readonly version: number; readonly files: readonly ArchivedFile[] }> {
  const log = await context.log()
  // Another table in its place would be one that has forgotten all other partitions.
  if (context.published && (await log.own(context.interrupt.abort)) === null) {
    throw otherArchive(context.name, work.partition, 'its Delta log is gone')
  }
  const etags = await bringThere(context, work.partition, files)
  const { version } = await log.publish(publication(context, work, files), context.interrupt.abort)
  return { version, files: archivedFiles(files, etags) }
}

/**
 * Files that an older version of the Delta table names, and that are in their place, become part of it again. Its columns stay as they are.
 * @throws SluiceError PARTITION_CHANGED where a file is not in its place; ARCHIVE_CONFLICT
 */
export async function publishAgain(
  context: ArchiveContext,
  work: Work,
  files: readonly ExaminedFile[],
): Promise<{ readonly version: number }> {
  const log = await context.log()
  return log.publish({ ...publication(context, work, files), keepsShape: true }, context.interrupt.abort)
}

/** What the ledger says before the log lets go. */
const AFTER = { restore: 'RESTORED', expire: 'EXPIRED' } as const

/**
 * Takes the files of a partition out of the Delta table again; the files stay where they are until they are swept.
 * @param at when they ceased to be part of it, ms since the epoch; the time of the commit when absent
 */
export async function retractFiles(
  context: ArchiveContext,
  { partition, held }: Work,
  step: 'restore' | 'expire',
  at?: number,
): Promise<void> {
  const log = await context.log()
  // A crash must not take back what the ledger and the source say once the log names the files no more.
  await context.store.flushed?.(context.interrupt.abort)
  await log.retract(
    {
      partition: partition.label,
      tableId: context.archived.archiveId,
      txn: { appId: appIdOf(context, partition.label), version: held.fence },
      info: { ...infoOf(context, partition), step },
      known: knownOf(partition),
      claim: { ...held, state: AFTER[step], logged: null },
      ...(at === undefined ? {} : { at }),
    },
    context.interrupt.abort,
  )
}

/** Files for a bucket come from the spool folder; what stands there afterwards is read once more. @returns its ETags by name, where the store has them */
export async function bringThere(
  context: ArchiveContext,
  partition: ArchivedPartition,
  files: readonly ExaminedFile[],
): Promise<ReadonlyMap<string, string>> {
  const { writer, reader, spool, interrupt } = context
  const etags = new Map<string, string>()
  if (writer.folder !== null) return etags
  for (const { name, sha256 } of files) {
    const file = join(spool, name)
    await writer.upload(name, file, interrupt.abort)
    const etag = (await reader.head(name, interrupt.abort))?.etag ?? null
    if ((await sha256InPlace(context, name, etag)) !== sha256) {
      throw otherArchive(context.name, partition, `${name} arrived with other bytes`)
    }
    if (etag !== null) etags.set(name, etag)
    await rm(file, { force: true })
  }
  return etags
}

function publication(context: ArchiveContext, { partition, held }: Work, files: readonly ExaminedFile[]): Publication {
  const { archived, store, name } = context
  const source = redactUrl(store.label)
  return {
    tableId: archived.archiveId,
    stored: archived.stored,
    name,
    // Of a table that is there already its id tells; a source may be known by another address by now.
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

/** The proof of a file that stays in the log for ever. */
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
    // docs/CANONICAL.md says what it is.
    'sluice.checksum': digest.sum,
    'sluice.sha256': sha256,
    // What a lost ledger is made anew from: columns of the file, by their name among the table's properties, and the table that the partition was.
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

export function knownOf({ logged }: ArchivedPartition): ReadonlySet<string> | null {
  return logged === null ? null : new Set(logged)
}

/** Files of an attempt that was killed may have been published, too. */
export function loggedWith({ logged }: ArchivedPartition, files: readonly ExaminedFile[]): readonly string[] | null {
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

/** Names whoever publishes this partition: a later fence wins over an earlier one. */
export function appIdOf({ name }: Pick<ArchiveContext, 'name'>, label: string): string {
  return `sluice/${name}/${label}`
}

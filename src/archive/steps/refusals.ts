/** Errors for partitions that cannot continue, in one wording. Commands in hints can be pasted into a shell. */
import { isPublished } from '../../model/archive/state.ts'
import { tableText, type TableName } from '../../model/copy/column-type.ts'
import { isoTime } from '../../shared/clock.ts'
import { SluiceError, type ErrorCode, type ErrorDetails } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import { quotedName } from '../../shared/sql-text.ts'
import type { ArchivedPartition } from '../ledger/record.ts'
import { type NamedRows, keysText } from './named-rows.ts'

type Named = Pick<ArchivedPartition, 'label'>

/** An error about one partition of table `name`. @param what follows the name of the partition in the message */
export function partitionError(
  code: ErrorCode,
  name: string,
  { label }: Named,
  what: string,
  details: Omit<ErrorDetails, 'where'> = {},
): SluiceError {
  return new SluiceError(code, `${label} of ${name} ${what}`, { where: `${name}, ${label}`, ...details })
}

/** Command such as `sluice restore --table public.visits --partition 2020-Q1`, with further words. */
export function restoreCommand(name: string, { label }: Named, ...more: readonly string[]): string {
  return ['sluice', 'restore', ...flagWord('--table', name), ...flagWord('--partition', label), ...more]
    .map(shellQuote)
    .join(' ')
}

/** Command such as `sluice archive run --table public.visits --partition 2020-Q1`. */
export function runCommand(name: string, { label }: Named): string {
  return ['sluice', 'archive', 'run', ...flagWord('--table', name), ...flagWord('--partition', label)]
    .map(shellQuote)
    .join(' ')
}

/** Command such as `sluice archive plan --table public.visits`. */
export function planCommand(name: string): string {
  return ['sluice', 'archive', 'plan', ...flagWord('--table', name)].map(shellQuote).join(' ')
}

/** Command that continues the drop of one partition. */
export function dropCommand(name: string, partition: Named): string {
  return `${runCommand(name, partition)} --drop --confirm=${shellQuote(name)}`
}

/** Words of a flag: a value that begins with `-` is in the same word as its flag. */
export function flagWord(name: string, value: string): readonly string[] {
  return value.startsWith('-') ? [`${name}=${value}`] : [name, value]
}

/** Error: rows of the source have changed. */
export function changedRows(name: string, { label }: Named, how: string): SluiceError {
  return partitionError('PARTITION_CHANGED', name, { label }, `changed: ${how}`, {
    hint: 'stop the program that writes to the partition, then run the same command: it exports the partition again; no rows were removed',
    retryable: true,
  })
}

/** Error: the source lacks rows that only the archive may have. @param what text about these rows */
export function notAsArchived(
  name: string,
  { label, away }: Pick<ArchivedPartition, 'label' | 'away'>,
  what: string,
  hint: string,
): SluiceError {
  const end = away ? 'its table was detached before this was found, and stays where it is' : 'nothing was changed'
  return partitionError('PARTITION_CHANGED', name, { label }, `in the table differs from the archived one: ${what}`, {
    reason: `the archive may have the only copy of these rows, and keeps its files: ${end}`,
    hint,
  })
}

/** Error: rows of a published partition were removed from a plain table by hand. @param what text about these rows */
export function removedByHand(
  name: string,
  partition: Pick<ArchivedPartition, 'label' | 'away'>,
  what: string,
): SluiceError {
  const back = `${restoreCommand(name, partition)} restores them from the archive`
  const again = `${runCommand(name, partition)} archives them again, or those that remain`
  return notAsArchived(name, partition, what, `${back}; then ${again}`)
}

/** Error: rows of a detached table differ from the export. SQL on the parent cannot change them any more. */
export function detachedChangedError(name: string, { label }: Named, how: string): SluiceError {
  return partitionError('PARTITION_CHANGED', name, { label }, `changed before it was detached: ${how}`, {
    hint: 'run the same command to export it again; until then its rows in the database are the valid ones',
    retryable: true,
  })
}

/** Error: the table of a partition is missing, or another table has its name. */
export function missingTableError(
  name: string,
  { label, native, state }: Pick<ArchivedPartition, 'label' | 'native' | 'state'>,
): SluiceError {
  const otherwise = isPublished(state)
    ? `if it was dropped, ${restoreCommand(name, { label })} restores its rows from the archive; if another table now has these rows, archive that table with --partition ${shellQuote(label)}`
    : `if it was dropped or replaced, sluice archive list shows the state of ${label}`
  const table =
    native === null ? label : [native.table.schema, native.table.name].filter((part) => part !== undefined).join('.')
  return new SluiceError('PARTITION_CHANGED', `${table}, the table of ${label}, is no longer a partition of ${name}`, {
    where: `${name}, ${label}`,
    hint: `if it was detached, attach the table again; ${otherwise}`,
  })
}

/** Error: a detached table was moved or renamed by hand. @param to name that it should have */
export function movedTableError(name: string, { label }: Named, to: TableName): SluiceError {
  return new SluiceError(
    'PARTITION_CHANGED',
    `the detached table of ${label} of ${name} was moved or renamed by hand`,
    {
      where: `${name}, ${label}`,
      hint: `move it back to ${tableText(to)}, then run the same command again`,
    },
  )
}

/** Error: a detached table is attached to its parent again, and the archive has its rows as well. */
export function attachedAgain(
  name: string,
  partition: Named,
  { parent, table }: { readonly parent: TableName; readonly table: TableName },
): SluiceError {
  const { label } = partition
  const out = `ALTER TABLE ${quotedTable(parent)} DETACH PARTITION ${quotedTable(table)}`
  return new SluiceError('PARTITION_CHANGED', `the detached table of ${label} of ${name} was attached again by hand`, {
    where: `${name}, ${label}`,
    reason: `${name} has these rows again, in its partition ${tableText(table)}; nothing was changed`,
    hint: `to keep these rows in the table, run ${restoreCommand(name, partition)}, which compares them with the archive; to archive them, run ${out}, then the same command again`,
  })
}

function quotedTable({ schema, name }: TableName): string {
  return [...(schema === undefined ? [] : [schema]), name].map(quotedName).join('.')
}

/** Error: a detached table is missing before its proof; the archive has the rows exported before the detach. */
export function droppedByHand(name: string, partition: Named): SluiceError {
  const command = asChangedCommand(name, partition)
  return new SluiceError(
    'PARTITION_CHANGED',
    `the table of ${partition.label} of ${name} was dropped before its checksum was computed`,
    {
      where: `${name}, ${partition.label}`,
      reason: 'rows that changed between export and detach were only in that table',
      hint: `restore the table from a backup, or recreate it from the files of the archive: ${command}`,
    },
  )
}

/** Error: the rows in the source differ from the archived ones; some may already be removed. */
export function changedAfter(name: string, partition: Named, how: string): SluiceError {
  return partitionError('PARTITION_CHANGED', name, partition, `changed after it was archived: ${how}`, {
    hint: `nothing more is removed; ${restoreCommand(name, partition, '--dry-run')} shows which rows differ, and what a restore does with them`,
  })
}

/** Command for a hint: restores archived rows into another table. */
export function otherTableCommand(name: string, partition: Named): string {
  return restoreCommand(name, partition, '--into', 'NEW_TABLE')
}

/** Hint: accept the values that the table generates in these columns. */
export function withoutHint(name: string, partition: Named, columns: readonly string[]): string {
  const flags = columns.flatMap((column) => ['--without', column])
  return `to accept the values that the table computes for ${columns.join(', ')}, without a comparison: ${restoreCommand(name, partition, ...flags)}`
}

/** Command for a hint: gives up archived rows whose keys other rows of the table have. */
export function asChangedCommand(name: string, partition: Named): string {
  return restoreCommand(name, partition, '--as-changed', `--confirm=${name}`)
}

/**
 * Error: rows with keys of archived ones have other values, and the user must choose which rows are valid.
 * @param what text about the rows of the table
 * @param computed names of compared columns that the table generates
 */
export function otherValues(
  name: string,
  partition: Named,
  what: string,
  { rows, spelled, outside }: Pick<NamedRows, 'rows' | 'spelled' | 'outside'>,
  computed: readonly string[] = [],
): SluiceError {
  const others = spelled === undefined ? outside?.keys.join('; ') : spelled.there
  const rekeyed = others === undefined ? '' : `give the row ${others} another key, then run the same command again, or `
  const both = `to keep both rows, ${rekeyed}restore the archived rows into another table: ${otherTableCommand(name, partition)}`
  const ours = `if the rows of the database are right (${discardedText(rows)} then): ${asChangedCommand(name, partition)}`
  return partitionError('PARTITION_CHANGED', name, partition, `changed after it was archived: ${what}`, {
    reason:
      spelled !== undefined
        ? `the key of the table treats ${spelled.archived} and ${spelled.there} as equal: it cannot hold both the archived row and the other one; nothing was changed`
        : outside === undefined
          ? 'the archived values of these rows would be given up, so nothing was changed'
          : 'a row outside of the partition is another row with a reused key, or the archived row with another time: nothing was changed',
    hint: [...(computed.length === 0 ? [] : [withoutHint(name, partition, computed)]), both, ours].join('; '),
  })
}

/** Text about archived rows that are given up, because other rows have their keys. */
export function discardedText(rows: bigint): string {
  return rows === 1n ? '1 archived row is given up' : `${rows} archived rows are given up`
}

/** Error: the table refuses archived rows although their keys are free, because they conflict with another row. */
export function rejectedRowsError(name: string, partition: Named, { rows, keys }: NamedRows): SluiceError {
  return partitionError(
    'PARTITION_CHANGED',
    name,
    partition,
    `cannot be restored: the table refuses ${rows} of its rows (${keysText(rows, keys)})`,
    {
      reason:
        'a constraint of the table, such as a key WITHOUT OVERLAPS, refuses them because of rows that are already in the table',
      hint: `change or remove those rows, then run the same command again; or restore the archived rows into another table: ${otherTableCommand(name, partition)}`,
    },
  )
}

/** Error: two archived rows have the same key in the present table. @param what text with both keys */
export function keysAlike(name: string, partition: Named, what: string): SluiceError {
  return partitionError('PARTITION_CHANGED', name, partition, `cannot be restored: ${what}`, {
    reason: 'both rows had different keys when they were archived; nothing was changed',
    hint: `give the key its earlier collation, and run the same command again; or create a table whose key distinguishes these texts, and restore the rows there: ${otherTableCommand(name, partition)}`,
  })
}

/** Command that reads table and archive, and changes nothing. */
export function queryCommand(name: string): string {
  return `sluice query ${shellQuote(name)} ${shellQuote(`SELECT * FROM ${name} LIMIT 10`)}`
}

/** Error: archived rows have columns that the table lacks, so they cannot be restored. */
export function otherColumns(name: string, partition: Named, what: string): SluiceError {
  return partitionError('PARTITION_CHANGED', name, partition, `cannot be restored: ${what}`, {
    hint: `add the column again, then run the same command; to read the archive as it is: ${queryCommand(name)}`,
  })
}

/** Error: rows were written during the restore. */
export function changedMeanwhile(name: string, partition: Named, how: string): SluiceError {
  const ours = `if the rows of the table that changed meanwhile are right: ${asChangedCommand(name, partition)}`
  return partitionError('PARTITION_CHANGED', name, partition, `changed while it was restored: ${how}`, {
    reason:
      'queries still read these rows from the archive; restored rows stay in the table, and queries leave them out',
    hint: `to compare again and continue: ${restoreCommand(name, partition)}; ${ours}`,
  })
}

/** Error: triggers or rules of the table fire for restored rows, which then have other values. */
export function changedByTriggers(name: string, partition: Named, fired: readonly string[]): SluiceError {
  return partitionError(
    'PARTITION_CHANGED',
    name,
    partition,
    `cannot be restored: its rows have other values after ${fired.join(', ')} fired`,
    {
      hint: `disable the trigger or rule while no other program writes to the table, and run the same command again; or restore the archived rows into another table: ${otherTableCommand(name, partition)}`,
    },
  )
}

/** Error: the partition has expired, and its files are being destroyed or no longer exist. */
export function destroyedError(
  name: string,
  { label, sweptMs }: Pick<ArchivedPartition, 'label' | 'sweptMs'>,
): SluiceError {
  const when = sweptMs === null ? '' : `; the destruction of its files began at ${isoTime(sweptMs)}`
  return partitionError('PARTITION_STATE', name, { label }, `has expired and cannot be restored${when}`, {
    hint: 'the archive no longer has its rows; sluice archive list shows its record',
  })
}

/** Error: the lease of the partition expired, and another program has claimed it. */
export function leaseLostError(name: string, { label }: Named): SluiceError {
  return new SluiceError('LEASE_LOST', `another program now works on ${label} of ${name}`, {
    hint: 'wait until it has ended, or end it, then run the same command again',
    retryable: true,
  })
}

/** Error: the archive of a partition differs from its proof. */
export function otherArchive(name: string, { label }: Named, how: string): SluiceError {
  return new SluiceError('ARCHIVE_CONFLICT', `the archive of ${label} of ${name} differs from its proof: ${how}`, {
    where: `${name}, ${label}`,
    hint: 'run sluice archive verify to find the fault, and repair it; no rows are removed from the source before that',
  })
}

/** Error: a file differs from its proof. @param how text @param path the file */
export function damagedFile(
  name: string,
  { label, state, removed, restoring }: Pick<ArchivedPartition, 'label' | 'state' | 'removed' | 'restoring'>,
  path: string,
  how: string,
): SluiceError {
  const isOnlyCopy = state === 'DROPPED' || state === 'EXPIRED' || restoring || removed.rows > 0n
  return new SluiceError('ARCHIVE_CONFLICT', `${path}, a file of ${label} of ${name}, ${how}`, {
    where: `${name}, ${label}`,
    reason: isOnlyCopy
      ? 'the file is the only copy of its rows; nothing was changed'
      : 'its rows are still in the database; nothing was removed from it',
    hint: isOnlyCopy
      ? 'restore the file from a copy of the archive or an older version of the object, then run the same command again; sluice archive verify names every damaged file'
      : `run ${restoreCommand(name, { label })} to keep its rows in the table, then ${runCommand(name, { label })} to write new files`,
  })
}

/** Hint if the ledger needs files that the log no longer names. */
export function adoptHint(name: string): string {
  return `sluice archive adopt --table ${shellQuote(name)} --confirm=${shellQuote(name)} reads these files, and adds them to the log again`
}

/** Error: the log no longer names files that the ledger needs. The ledger is from a backup, or lost a commit. */
export function notLogged(name: string, { label, state }: Pick<ArchivedPartition, 'label' | 'state'>): SluiceError {
  return partitionError(
    'ARCHIVE_CONFLICT',
    name,
    { label },
    `is ${state} in the ledger, but the log does not name its files`,
    {
      reason: 'the database lost a commit after a crash or a restored backup; sweeps keep the files',
      hint: adoptHint(name),
    },
  )
}

/** Error: the partition has a hold. */
export function holdError({ name }: { readonly name: string }, { label, held }: ArchivedPartition): SluiceError {
  return partitionError('PARTITION_HELD', name, { label }, `is held: ${held ?? ''}`, {
    hint: releaseHint(name, label),
  })
}

export function releaseHint(table: string, label: string): string {
  return `sluice archive release --table ${shellQuote(table)} --partition ${shellQuote(label)} ends the hold`
}

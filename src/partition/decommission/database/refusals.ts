/** Errors of the steps that retire a database, with hints. */
import { SluiceError } from '../../../shared/errors.ts'
import { quotedName } from '../../../shared/sql-text.ts'
import { redactUrl } from '../../../shared/redact.ts'
import { shellQuote } from '../../../shared/shell.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { DatabaseRetirement } from '../../../model/partition/retirement-port.ts'
import { onSide } from '../../../engine/copy/sides.ts'
import { systemOf } from '../../../engine/run/systems.ts'

type Named = Pick<DatabaseRetirement, 'name' | 'label'>

/** @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG, BAD_FLAG, CONNECT_FAILED */
export async function retireOf(
  url: string,
  options: { readonly mode: 'read' | 'write'; readonly maintenance?: string | undefined },
): Promise<DatabaseRetirement> {
  const retire = systemOf(url)?.copies?.retire
  if (retire !== undefined) return await onSide('source', () => retire(url, options))
  throw new SluiceError(
    'UNSUPPORTED_URL',
    `sluice cannot decommission a database of ${systemOf(url)?.title ?? 'this system'}`,
    {
      where: redactUrl(url),
      hint: 'name a PostgreSQL database with --from; delete the file of a database by hand',
    },
  )
}

/** @throws SluiceError BAD_FLAG */
export function refuseSameDatabase(identity: string, to: CopyStore): void {
  if (identity !== to.identity) return
  throw new SluiceError('BAD_FLAG', '--from and --to are the same database', {
    where: to.label,
    hint: 'name the database to drop with --from, and the database that has its tables and the ledger now with --to',
  })
}

/** Error for `--archive`, which cannot be used with a database. */
export function noArchive(): SluiceError {
  return new SluiceError('BAD_FLAG', '--archive copies one old table, not a whole database', {
    hint: 'copy the tables that you still need with sluice copy --table TABLE, then remove --archive',
  })
}

/** @throws SluiceError MISSING_CONFIRM unless the name of the database is confirmed */
export function refuseUnconfirmedDatabase(name: string, confirm: string | undefined): void {
  if (confirm === name) return
  throw new SluiceError(
    'MISSING_CONFIRM',
    `this drops database ${name} permanently: its name is needed as confirmation`,
    {
      hint: `add --confirm=${shellQuote(name)}, or --dry-run to see what would be dropped`,
    },
  )
}

/** Error if the database refuses connections, but the ledger has no step that closed it. */
export function alreadyClosed({ name, label }: Named): SluiceError {
  return new SluiceError('PARTITION_REFUSED', `database ${name} refuses connections, and sluice did not close it`, {
    where: label,
    reason: 'its contents cannot be read',
    hint: `ALTER DATABASE ${quotedName(name)} WITH ALLOW_CONNECTIONS true as its owner, then run the same command again`,
  })
}

/**
 * Error if an interrupted DROP DATABASE has left the database without use.
 * @param drops true if this command has begun the drop, and ends it
 */
export function halfDropped({ name, label }: Named, drops: boolean): SluiceError {
  return new SluiceError('PARTITION_REFUSED', `database ${name} can no longer accept connections`, {
    where: label,
    reason: 'a DROP DATABASE of it was interrupted on the server, which accepts only another DROP DATABASE now',
    hint: drops
      ? `add --confirm=${shellQuote(name)}, without --undo: it drops what is left of the database`
      : `check in a backup that its tables are not needed, then DROP DATABASE ${quotedName(name)} as its owner`,
  })
}

/** Error if the database was made inactive, but accepts connections. */
export function openedByOtherProgram({ name, label }: Named): SluiceError {
  return new SluiceError('PLAN_CHANGED', `database ${name} is not dropped: it accepts connections again`, {
    where: label,
    reason: 'another user allowed them, so its contents may have changed since it was inspected',
    hint: 'find out which user allowed connections; run the same command with --undo, then again without it',
  })
}

/**
 * Error if the database does not exist. @param renamed its current name if it was retired under this name; otherwise
 * null
 */
export function databaseMissing({ name, label }: Named, renamed: string | null): SluiceError {
  return new SluiceError('SOURCE_GONE', `the server has no database ${name}`, {
    where: label,
    ...(renamed === null
      ? {}
      : { reason: `sluice made this database inactive as ${name}; its name is now ${renamed}` }),
    hint:
      renamed === null
        ? 'check the URL of --from: no run of sluice has retired a database of this name'
        : `name database ${renamed} with --from, or rename it back to ${name}`,
  })
}

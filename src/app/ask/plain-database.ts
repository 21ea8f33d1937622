/** Statements over a database that holds no catalog. The stores word their failures for catalogs, which would be wrong advice here. */
import { catalogPresence } from '../../catalog/migrate.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'

/** What helps, in place of what helps with a catalog; the text alone is put right for other codes. */
const HINTS: Partial<Readonly<Record<SluiceError['code'], string>>> = {
  BAD_QUERY: 'sluice discover URL lists the tables of the database; it holds no catalog',
  TARGET_CORRUPT: 'restore the database from a backup',
  TARGET_BUSY: 'wait until the other program ends, then ask again',
  TARGET_IO: 'check the disk of the database, then ask again',
  CONNECTION_LOST: 'check the server, then ask again',
}

/** Whether a database holds a catalog that this program can read. One that says nothing about it counts as one. */
export async function holdsCatalog(database: SqlDatabase): Promise<boolean> {
  try {
    return (await catalogPresence(database)) === 'present'
  } catch {
    return true
  }
}

/** What was thrown over a database that holds no catalog, in words that fit it. Anything but a SluiceError comes back unchanged. */
export function ofPlainDatabase(thrown: unknown): unknown {
  if (!(thrown instanceof SluiceError)) return thrown
  const { code, kind, message, reason, where, retryable, exitCode } = thrown
  const hint = code === 'CONNECT_FAILED' ? firstPart(thrown.hint) : ownHint(thrown)
  return new SluiceError(code, plain(message), {
    kind,
    exitCode,
    retryable,
    ...(reason === undefined ? {} : { reason: plain(reason) }),
    ...(where === undefined ? {} : { where }),
    ...(hint === undefined ? {} : { hint }),
    cause: thrown.cause,
  })
}

/** Of several statements and of a time limit the hint says what to do with any database. */
function ownHint({ code, message, hint }: SluiceError): string | undefined {
  if (code === 'BAD_QUERY' && message === 'the text holds several statements') return hint
  return HINTS[code] ?? hint
}

/** `Check database URL; the first import makes the catalog`, without what is true of catalogs only. */
function firstPart(hint: string | undefined): string | undefined {
  return hint?.replace(/; the first import .*$/, '')
}

function plain(text: string): string {
  return text
    .replace(
      'only queries are let through: the catalog is written by imports and by nothing else',
      'only queries are let through: a typed statement changes nothing',
    )
    .replaceAll('the catalog file', 'the database file')
    .replaceAll('the catalog', 'the database')
}

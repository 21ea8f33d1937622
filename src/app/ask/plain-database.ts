/** Error texts for databases without a catalog. The stores' own texts assume a catalog. */
import { catalogPresence } from '../../catalog/migrate.ts'
import { SluiceError } from '../../shared/errors.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'

/** Replacement hints by error code. */
const HINTS: Partial<Readonly<Record<SluiceError['code'], string>>> = {
  BAD_QUERY: 'correct the statement; this database has no catalog, and sluice discover URL lists its tables',
  TARGET_CORRUPT: 'restore the database from a backup',
  TARGET_BUSY: 'wait until the other program ends, then ask again',
  TARGET_IO: 'check the disk of the database, then ask again',
  CONNECTION_LOST: 'check the server, then ask again',
}

/** True if a database holds a catalog that this program can read, or if that cannot be determined. */
export async function holdsCatalog(database: SqlDatabase): Promise<boolean> {
  try {
    return (await catalogPresence(database)) === 'present'
  } catch {
    return true
  }
}

/** Adapts an error to a database without a catalog. Anything but a SluiceError is returned unchanged. */
export function withoutCatalogTexts(thrown: unknown): unknown {
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

/** Returns the hint from `HINTS`. Without one, and for a text with several statements, returns the error's own hint. */
function ownHint({ code, message, hint }: SluiceError): string | undefined {
  if (code === 'BAD_QUERY' && message === 'the text has several statements') return hint
  return HINTS[code] ?? hint
}

/** The hint without its part about catalogs: `Check database URL`, of `Check database URL; the first import …`. */
function firstPart(hint: string | undefined): string | undefined {
  return hint?.replace(/; the first import .*$/, '')
}

function plain(text: string): string {
  return text
    .replace(
      'only queries are allowed: only imports write the catalog',
      'only queries are allowed: a typed statement cannot change data',
    )
    .replaceAll('the catalog file', 'the database file')
    .replaceAll('the catalog', 'the database')
}

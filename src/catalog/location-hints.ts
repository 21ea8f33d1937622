/** Commands for hints about a table whose log is gone, was moved, or is not the imported one. */
import { SluiceError } from '../shared/errors.ts'
import { shellQuote } from '../shared/shell.ts'

/** Command that removes the table from the catalog, independently of its log. */
export function forgetCommand(tableId: string): string {
  const id = shellQuote(tableId)
  return `sluice rollback ${id} --forget --confirm=${id}`
}

/**
 * Text about a new import of the table, with the condition that makes it safe: the catalog may have the only copy of
 * commits that are gone from the log.
 * @param url of the catalog, without secrets
 */
export function importAgainText(tableId: string, url: string): string {
  return `if the log is right, remove the table from the catalog and import it again: ${forgetCommand(tableId)} --database-url ${shellQuote(url)}`
}

/** Command that imports a moved table from its new folder. */
export function movedCommand(tableId: string): string {
  return `sluice import PATH --table-id ${shellQuote(tableId)} --moved`
}

/** Codes of errors for a log or a bucket that does not exist. */
const LOG_GONE: ReadonlySet<string> = new Set(['NO_LOG', 'NO_SUCH_PATH'])

/** Adds a hint to an error about a table whose log is not at its catalog location. */
export function withLocationHint(error: unknown, tableId: string | undefined): unknown {
  if (tableId === undefined || !(error instanceof SluiceError) || !LOG_GONE.has(error.code)) return error
  const { where, reason } = error.info()
  return new SluiceError(error.code, error.message, {
    where,
    reason,
    hint: `restore the log; if the table was moved: ${movedCommand(tableId)}; if it no longer exists, remove it from the catalog: ${forgetCommand(tableId)}`,
    cause: error,
  })
}

/** Commands that end it where the log of a table is gone, was moved or is another one than the catalog holds: hints name them. */
import { SluiceError } from '../shared/errors.ts'
import { shellQuote } from '../shared/shell.ts'

/** Takes the table out of the catalog, whatever its log says. */
export function forgetCommand(tableId: string): string {
  const id = shellQuote(tableId)
  return `sluice rollback ${id} --forget --confirm=${id}`
}

/**
 * Imports the table anew, under the condition that makes it safe: the catalog may hold the only copy of commits that the log lost.
 * @param url of the catalog, as it may be shown
 */
export function againIfRight(tableId: string, url: string): string {
  return `if the log is right, take the table out of the catalog and import it again: ${forgetCommand(tableId)} --database-url ${shellQuote(url)}`
}

/** Follows the table to the folder that it was moved to. */
export function movedCommand(tableId: string): string {
  return `sluice import PATH --table-id ${shellQuote(tableId)} --moved`
}

/** No log, and no bucket. */
const LOG_GONE: ReadonlySet<string> = new Set(['NO_LOG', 'NO_SUCH_PATH'])

/** What to do with a table whose log is not where the catalog has it. */
export function withWaysOut(error: unknown, tableId: string | undefined): unknown {
  if (tableId === undefined || !(error instanceof SluiceError) || !LOG_GONE.has(error.code)) return error
  const { where, reason } = error.info()
  return new SluiceError(error.code, error.message, {
    ...(where === undefined ? {} : { where }),
    ...(reason === undefined ? {} : { reason }),
    hint: `bring the log back; if the table lies elsewhere now: ${movedCommand(tableId)}; if it is gone, take it out of the catalog: ${forgetCommand(tableId)}`,
    cause: error,
  })
}

/** Commands that end it where the log of a table is gone, was moved or is another one than the catalog holds: hints name them. */
import { shellQuote } from '../shared/shell.ts'

/** Takes the table out of the catalog, whatever its log says. */
export function forgetCommand(tableId: string): string {
  const id = shellQuote(tableId)
  return `sluice rollback ${id} --forget --confirm=${id}`
}

/** Follows the table to the folder that it was moved to. */
export function movedCommand(tableId: string): string {
  return `sluice import PATH --table-id ${shellQuote(tableId)} --moved`
}
